import { CONFIG_KINDS, checkConfigEntry, decodeConfigBody } from '../../api/shapes/config-entry/decode.ts';
import { decodeIntention } from '../../api/shapes/intention.ts';
import { AppError } from '../../core/errors.ts';
import { SeededRandom } from '../../core/random.ts';

/** Mutated bodies; `make fuzz` asks for many more. */
const RUNS = Math.min(Number(process.env.FUZZ_RUNS ?? 3000), 300_000);
const SEED = Number(process.env.FUZZ_SEED ?? 20_260_101);

const PIECES = [
  'null',
  '-1',
  '1e400',
  '"x"',
  '"*"',
  '""',
  '[]',
  '{}',
  '[{}]',
  '[[1]]',
  'true',
  '"10s"',
  '"/a"',
  '"__proto__"',
];
const PARTS = [
  'Routes',
  'Match',
  'HTTP',
  'Splits',
  'Weight',
  'Subsets',
  'Failover',
  'Redirect',
  'Sources',
  'Permissions',
  'Name',
]
  .concat([
    'Listeners',
    'Services',
    'Port',
    'TLS',
    'Rules',
    'Matches',
    'Parents',
    'JSONWebKeySet',
    'Meta',
    'LoadBalancer',
    'Expose',
  ])
  .concat([
    'Action',
    'Destination',
    'UpstreamConfig',
    'Path',
    'Header',
    'Config',
    'Consumers',
    'constructor',
    'ConnectTimeout',
  ]);

function value(random: SeededRandom, depth: number): string {
  const pick = <T>(of: readonly T[]) => of[Math.floor(random.next() * of.length)]!;
  if (depth === 0 || random.next() < 0.3) return pick(PIECES);
  const fields = Array.from(
    { length: 1 + Math.floor(random.next() * 3) },
    () => `"${pick(PARTS)}":${value(random, depth - 1)}`,
  );
  const text = `{${fields.join(',')}}`;
  return random.next() < 0.5 ? text : `[${text}]`;
}

describe('bodies of configuration entries and intentions', () => {
  it('are decoded and checked, or refused as bad requests', () => {
    const random = new SeededRandom(SEED);
    let refused = 0;
    for (let run = 0; run < RUNS; run++) {
      const kind = CONFIG_KINDS[run % CONFIG_KINDS.length];
      const body = Buffer.from(
        `{"Kind":"${kind}","Name":"n",${value(random, 4)
          .replace(/^[^{]*\{/, '')
          .replace(/\}?\]?$/, '')}}`,
      );
      for (const decode of [() => checkConfigEntry(decodeConfigBody(body)), () => decodeIntention(body)]) {
        try {
          decode();
        } catch (error) {
          if (!(error instanceof AppError) || error.code !== 'badRequest') throw new Error(`${body}`, { cause: error });
          refused++;
        }
      }
    }
    expect(refused).toBeGreaterThan(RUNS / 2);
  });
});
