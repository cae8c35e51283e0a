import fc from 'fast-check';

/** Stands for a number that no double can hold. */
const HUGE = '@huge@';

export interface Mutation {
  /** Which of the places of the text, counted on beyond their number. */
  readonly at: number;
  readonly how: 'delete' | 'cut' | 'replace';
  readonly value: unknown;
}

export const mutations: fc.Arbitrary<Mutation> = fc.record({
  at: fc.nat(10_000),
  how: fc.constantFrom('delete', 'cut', 'replace', 'replace', 'replace'),
  value: fc.oneof(
    fc.constantFrom<unknown>(null, 0, 5, -1, 0.5, HUGE, '', 'x', '(', true, [], {}, [null], [{}], { a: {} }),
    fc.jsonValue({ maxDepth: 2 }),
  ),
});

/** A text of JSON that says something else, or is none any more. */
export function mutated(text: string, { at, how, value }: Mutation): string {
  if (how === 'cut') return text.slice(0, at % text.length);
  const root = { it: JSON.parse(text) as unknown };
  const places = placesOf(root);
  const { holder, key } = places[at % places.length]!;
  if (how === 'replace' || holder === root) holder[key] = value;
  else delete holder[key];
  return JSON.stringify(root.it).replaceAll(`"${HUGE}"`, '1e999');
}

type Holder = Record<string, unknown>;

function placesOf(holder: object): { holder: Holder; key: string }[] {
  return Object.entries(holder).flatMap(([key, value]) => [
    { holder: holder as Holder, key },
    ...(typeof value === 'object' && value !== null ? placesOf(value as object) : []),
  ]);
}
