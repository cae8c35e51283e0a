// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the templates’ own syntax
import { checkCoordinate, decodeCoordinateUpdate } from '../../api/shapes/coordinate.ts';
import { checkQuery, decodeQuery } from '../../api/shapes/prepared-query.ts';
import { AppError } from '../../core/errors.ts';
import { SeededRandom } from '../../core/random.ts';
import { compileRegexp } from '../../core/regexp.ts';
import { parseNameForm } from '../../dns/answers/name-form.ts';
import { parseReverseName } from '../../dns/answers/reverse-name.ts';
import { foreignAddresses } from '../../dns/recursor/foreign-addresses.ts';
import { recursorAddress } from '../../dns/recursor/recursor-address.ts';
import { nameLength } from '../../dns/wire/name.ts';
import { compileTemplate } from '../../server/prepared-queries/template.ts';

/**
 * Mutated definitions, coordinates, patterns, names and answers of other servers. The law: a value or an AppError, in
 * bounded time. FUZZ_RUNS sets how many of each, FUZZ_SEED which.
 */
const RUNS = Number(process.env.FUZZ_RUNS ?? 3_000);
const SEED = Number(process.env.FUZZ_SEED ?? 1);

const QUERY = JSON.stringify({
  Name: 'geo-',
  Template: { Type: 'name_prefix_match', Regexp: '^geo-(.*?)-([^-]+)$', RemoveEmptyTags: true },
  Service: {
    Service: 'db-${match(2)}',
    Tags: ['${name.full}', '!$${x}', '${agent.segment}'],
    Failover: { NearestN: 2, Datacenters: ['dc2'], Targets: [{ Peer: 'a' }] },
    NodeMeta: { a: '${match(1)}' },
    Near: '_ip',
  },
  DNS: { TTL: '10s' },
});
const COORDINATE = JSON.stringify({
  Node: 'n1',
  Coord: { Vec: [0, 1e-3, -2, 0, 0, 0, 0, 0.5], Error: 1.5, Adjustment: -0.1, Height: 1e-5 },
});
const PATTERN = '^(?P<n>geo-)([a-z]{1,9}|\\d+)*?(x+x+)+\\.[^-]+$';
const NAME = '_geo.with.dots._tcp.query.dc1.dc.shop.ns';
const REVERSE = '1.0.30.10.in-addr.arpa';
const SPICE = [
  '"',
  '{',
  '}',
  '[',
  ']',
  '${',
  '\\',
  '1e999',
  'null',
  '-1',
  '(',
  ')',
  '*',
  '{9}',
  '.',
  '\u0000',
  '\ud800',
  'ß',
];

class Mutator {
  readonly #random: SeededRandom;
  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }
  int(below: number): number {
    return Math.floor(this.#random.next() * below);
  }
  text(seed: string): string {
    let text = seed;
    for (let rounds = this.int(4); rounds >= 0; rounds--) {
      const at = this.int(text.length + 1);
      const to = Math.min(text.length, at + this.int(8));
      const piece = [SPICE[this.int(SPICE.length)]!, text.slice(at, to), '', String.fromCharCode(this.int(256))][
        this.int(4)
      ]!;
      text = text.slice(0, at) + piece + text.slice(this.int(2) ? at : to);
    }
    return text;
  }
}

/** Gives the value, or undefined when it was refused as it should be. */
function lawful<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof AppError && error.message !== '') return undefined;
    throw error;
  }
}

describe('mutated', () => {
  const mutator = new Mutator(SEED);
  const times = (run: () => void) => {
    for (let i = 0; i < RUNS; i++) run();
  };

  it('prepared queries are taken or refused, and what is taken can be rendered', () => {
    let rendered = 0;
    times(() => {
      const content = lawful(() => decodeQuery(Buffer.from(mutator.text(QUERY))).content);
      if (!content) return;
      lawful(() => checkQuery(content));
      const template = lawful(() => compileTemplate(content));
      if (!template) return;
      const service = template.render({ name: mutator.text('geo-eu-orders'), segment: '' });
      expect(typeof service.Service).toBe('string');
      rendered++;
    });
    expect(rendered).toBeGreaterThan(0);
  });

  it('coordinates are finite and of eight dimensions, or refused', () => {
    times(() => {
      const update = lawful(() => decodeCoordinateUpdate(Buffer.from(mutator.text(COORDINATE))));
      if (!update || lawful(() => checkCoordinate(update.Coord) ?? true) === undefined) return;
      const { Vec, Error: error, Adjustment, Height } = update.Coord;
      expect([Vec.length, [...Vec, error, Adjustment, Height].every(Number.isFinite)]).toEqual([8, true]);
    });
  });

  it('patterns match in linear time, or are refused', () => {
    const text = 'geo-'.repeat(200) + 'x'.repeat(200);
    times(() => {
      lawful(() => compileRegexp(mutator.text(PATTERN)))?.groups(text);
    });
  });

  it('names have a form or none', () => {
    times(() => {
      const labels = mutator.text(NAME).split('.');
      const form = parseNameForm(labels);
      if (form?.kind === 'query') expect(form.query).not.toBe('');
      const reverse = parseReverseName(mutator.text(REVERSE).split('.'));
      if (reverse) expect(reverse.address).toMatch(/^[\d.]+$|^[0-9a-f:]+$/);
      lawful(() => recursorAddress(mutator.text('[2001:db8::1]:53')));
    });
  });

  it('answers of other servers give records with valid names, or are refused', () => {
    const answer = Buffer.from(
      '000181800001000200000000037777770765786d70616c650000010001c00c00050001000000090007047265616cc010c02d0001000100000009000400000207',
      'hex',
    );
    for (let i = 0; i < RUNS; i++) {
      const bytes = Buffer.from(answer);
      for (let rounds = mutator.int(4); rounds >= 0; rounds--) bytes[mutator.int(bytes.length)] = mutator.int(256);
      const message = bytes.subarray(0, mutator.int(4) ? bytes.length : mutator.int(bytes.length));
      for (const record of lawful(() => foreignAddresses(message)) ?? []) {
        expect(['A', 'AAAA', 'CNAME']).toContain(record.type);
        expect(nameLength(record.name)).toBeDefined();
        if (record.type === 'CNAME') expect(nameLength(record.target)).toBeGreaterThan(1);
      }
    }
  });
});
