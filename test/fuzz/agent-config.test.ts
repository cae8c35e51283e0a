import { parseAgentConfig } from '../../agent/config.ts';
import { AppError } from '../../core/errors.ts';
import { SeededRandom } from '../../core/random.ts';

/** Mutated configurations; `make fuzz` asks for many more. */
const RUNS = Math.min(Number(process.env.FUZZ_RUNS ?? 3000), 300_000);
const SEED = Number(process.env.FUZZ_SEED ?? 20_260_101);

const FILES = [
  `node_name = "n1"
ports { dns = 8600 http = -1 }
bind_addr = "{{ GetInterfaceIP \\"eth0\\" }}"
service { name = "web" port = 80 check { http = "http://x/" interval = "10s" } check { ttl = "3s" } }
watches { type = "key" key = "a" handler_type = "http" http_handler_config { path = "http://x/" timeout = "1s" } }
dns_config { service_ttl { "*" = "5s" } soa { refresh = 60 } }`,
  `{"server": true, "node_meta": {"a": "b"}, "addresses": {"http": "unix:///run/x"}, "checks": [{"name": "m", "ttl": "1s"}],
"advertise_addr": "{{ GetAllInterfaces | include \\"network\\" \\"10.0.0.0/8\\" | sort \\"address\\" | attr \\"address\\" }}",
"retry_join": ["a", "b:1"], "limits": {"http_max_conns_per_client": 5}, "acl": {"tokens": {}}, "segments": null}`,
];
const PIECES = [
  'null',
  '-1',
  '1e9',
  '"x"',
  '[]',
  '{}',
  '[{}]',
  '[[1]]',
  'true',
  '"10s"',
  '"{{ x }}"',
  '"unix://"',
  '|',
  '}}',
  '{{',
  '"',
  '__proto__',
  'constructor',
  '99999999999',
];

describe('a mutated configuration', () => {
  it('is taken, or refused with a line that names the file or the key', () => {
    const random = new SeededRandom(SEED);
    const pick = (n: number) => Math.floor(random.next() * n);
    let taken = 0;
    for (let run = 0; run < RUNS; run++) {
      const at = pick(FILES.length);
      let text = FILES[at]!;
      for (let times = 1 + pick(3); times > 0; times--) {
        const piece = PIECES[pick(PIECES.length)]!;
        const value = [...text.matchAll(/"[^"\n]*"|\b\d+\b|\btrue\b|\w+/g)];
        const found = value[pick(value.length)];
        if (!found) continue;
        text = text.slice(0, found.index) + piece + text.slice(found.index + (pick(3) === 0 ? 0 : found[0].length));
      }
      const file = at === 0 ? 'a.hcl' : 'a.json';
      try {
        parseAgentConfig(['-dev', '-config-file', file], {
          readFile: () => text,
          readFolder: () => [],
          hostname: () => 'machine',
          addresses: () => [{ name: 'eth0', address: '10.0.0.7', internal: false }],
        });
        taken++;
      } catch (error) {
        if (error instanceof AppError && error.code === 'config' && !error.message.includes('\n    at ')) continue;
        throw new Error(`run ${run}: ${JSON.stringify(text)}`, { cause: error });
      }
    }
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThan(RUNS);
  }, 600_000);
});
