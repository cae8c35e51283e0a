import { Readable } from 'node:stream';
import { entryOf } from '../../cli/config/entry-file.ts';
import { parseDefinitions } from '../../cli/definition-file.ts';
import { wantedOf } from '../../cli/intention/create.ts';
import { servicesOf } from '../../cli/services/definitions.ts';
import { factsOf } from '../../cli/snapshot/file-name.ts';
import { jsonLines } from '../../cli/watch/json-lines.ts';
import { AppError } from '../../core/errors.ts';
import { SeededRandom } from '../../core/random.ts';

/** Mutated files; `make fuzz` asks for many more. */
const RUNS = Math.min(Number(process.env.FUZZ_RUNS ?? 3000), 300_000);
const SEED = Number(process.env.FUZZ_SEED ?? 20_260_102);

const FILES = [
  'service { name = "web" port = 80 check { ttl = "1s" } check { tcp = "a:1" interval = "1s" } connect { sidecar_service { proxy { upstreams { destination_name = "db" } } } } }',
  '{"services": [{"Name": "db", "Tags": ["a"], "Meta": {"a": "b"}, "Checks": [{"HTTP": "http://a/", "Interval": "10s"}]}]}',
  'Kind = "service-resolver"\nName = "web"\nSubsets "v1" { Filter = "a == b" }\nSubsets "v2" { OnlyPassing = true }',
  'kind = "service-splitter"\nname = "web"\nsplits { weight = 90 }\nsplits { weight = 10 service = "x" }',
  '{"Kind": "service-intentions", "Name": "db", "Sources": [{"Name": "web", "Action": "allow"}]}',
  '{"SourceName": "web", "DestinationName": "db", "Permissions": [{"Action": "allow", "HTTP": {"PathPrefix": "/a"}}], "Meta": {"a": "b"}}',
];
const PIECES = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ',',
  '=',
  ':',
  '\n',
  '<<EOF\n',
  '${',
  '\\u0000',
  '\ud800',
  'null',
  '1e999',
  'service',
  '__proto__',
  'x {} ',
  '"a" {',
];

const random = new SeededRandom(SEED);
const below = (limit: number) => Math.floor(random.next() * limit);

function mutated(): string {
  let text = FILES[below(FILES.length)]!;
  for (let edits = 1 + below(4); edits > 0; edits--) {
    const at = below(text.length + 1);
    const piece =
      random.next() < 0.3 ? '' : random.next() < 0.2 ? text.slice(at, at + below(40)) : PIECES[below(PIECES.length)]!;
    text = text.slice(0, at) + piece + text.slice(at + below(random.next() < 0.5 ? 1 : 12));
  }
  return text;
}

/** The only law: a value, or an AppError. */
function read(what: string, text: string, action: () => unknown): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if (error instanceof AppError && error.code === 'config') return false;
    throw new Error(`${what} of ${JSON.stringify(text)} (FUZZ_SEED=${SEED})`, { cause: error });
  }
}

describe('files of definitions', () => {
  it('are a value or an error that names the file', () => {
    const good = { parsed: 0, services: 0, entries: 0, intentions: 0 };
    for (let run = 0; run < RUNS; run++) {
      const text = mutated();
      const name = ['f.hcl', 'f.json', 'standard input'][below(3)]!;
      let value: Record<string, unknown> = {};
      const parses = () => {
        ({ value } = parseDefinitions(name, text));
      };
      if (!read('parsing', text, parses)) continue;
      good.parsed++;
      if (read('services', text, () => servicesOf({ name, value }))) good.services++;
      if (read('entry', text, () => entryOf({ name, value }))) good.entries++;
      if (read('intention', text, () => wantedOf(name, value))) good.intentions++;
    }
    // Mutations that break everything would test nothing.
    for (const count of Object.values(good)) expect(count).toBeGreaterThan(RUNS / 100);
  });

  it('and facts of a file name, whatever the text', () => {
    for (let run = 0; run < RUNS; run++) read('facts', '', () => factsOf(mutated()));
  });
});

describe('lines of a stream', () => {
  it('are values or an error, however they are cut', async () => {
    for (let run = 0; run < RUNS / 10; run++) {
      const bytes = Buffer.from(`${mutated()}\n{"Type":"heartbeat"}\n${mutated()}`);
      const chunks: Buffer[] = [];
      for (let at = 0; at < bytes.length; ) {
        const end = at + 1 + below(64);
        chunks.push(bytes.subarray(at, end));
        at = end;
      }
      try {
        for await (const value of jsonLines(Readable.from(chunks), 200)) expect(value).toBeDefined();
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
      }
    }
  });
});
