import { AppError } from '../../core/errors.ts';
import { parseHcl } from '../../core/hcl/parse-hcl.ts';
import { SeededRandom } from '../../core/random.ts';

/** Mutated files; `make fuzz` asks for many more. */
const RUNS = Math.min(Number(process.env.FUZZ_RUNS ?? 5000), 500_000);
const SEED = Number(process.env.FUZZ_SEED ?? 20_260_101);

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: HCL writes interpolations so
const SEEDS = [
  'node_name = "n1"\nports { dns = 8600 }\nretry_join = ["a", "b"]\n',
  'service { name = "web" check { http = "http://x/${a}" interval = "10s" } }\nservice "x" { port = 0x1f }\n',
  '# c\n/* d */ a = <<-EOF\n   text\n   EOF\nb = [1, -2.5e3, {c = true}, [[]]] // e\n',
  '{"a": {"b": [1, null, "\\u00e9\\n"]}, "c": false}',
];
const PIECES = [
  '{',
  '}',
  '[',
  ']',
  '"',
  '\\',
  '=',
  ':',
  ',',
  '<<',
  '<<-E\n',
  '${',
  '/*',
  '*/',
  '#',
  '\n',
  '\0',
  '\ud800',
  '__proto__',
  '0x',
  '1e9',
];

// biome-ignore-end lint/suspicious/noTemplateCurlyInString: HCL writes interpolations so

function mutate(random: SeededRandom): string {
  const pick = (n: number) => Math.floor(random.next() * n);
  let text = SEEDS[pick(SEEDS.length)]!;
  for (let times = 1 + pick(5); times > 0; times--) {
    const at = pick(text.length);
    const piece = pick(4) === 0 ? String.fromCharCode(pick(0x3000)) : PIECES[pick(PIECES.length)]!;
    text = text.slice(0, at) + (pick(3) === 0 ? '' : piece) + text.slice(at + (pick(2) === 0 ? 0 : pick(12)));
  }
  return text;
}

describe('a mutated HCL file', () => {
  it('is read or refused with its line, and reads the same when written as JSON', () => {
    const random = new SeededRandom(SEED);
    let read = 0;
    for (let run = 0; run < RUNS; run++) {
      const text = mutate(random);
      try {
        const { value } = parseHcl(text);
        read++;
        const json = JSON.stringify(value);
        expect(JSON.stringify(parseHcl(json, { interpolation: false }).value)).toBe(json);
      } catch (error) {
        if (error instanceof AppError && error.code === 'config' && /^line \d+, column \d+: /.test(error.message))
          continue;
        throw new Error(`run ${run}: ${JSON.stringify(text)}`, { cause: error });
      }
    }
    expect(read).toBeGreaterThan(RUNS / 50);
    expect(read).toBeLessThan(RUNS);
  }, 600_000);

  it('costs time in proportion to its length', () => {
    for (const unit of ['[', '"a" ', '/*', '${', 'a{', '<<E\n', '# \n', '"\\', 'a = 1\n']) {
      const started = performance.now();
      try {
        parseHcl(unit.repeat(100_000));
      } catch (error) {
        expect(error).toBeInstanceOf(AppError);
      }
      expect(performance.now() - started).toBeLessThan(5_000);
    }
  });
});
