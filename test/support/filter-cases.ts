import fc from 'fast-check';

/**
 * Filter expressions as trees beside their text, rows to filter, and what the documentation of the language says of a
 * tree and a row: no parser, no types, nothing shared with what is tested.
 */
export type Tree =
  | { kind: 'or' | 'and'; left: Tree; right: Tree }
  | { kind: 'not'; inner: Tree }
  | { kind: 'match'; path: string[]; operator: Operator; negated: boolean; value: string | number | boolean };

export type Operator = 'equal' | 'in' | 'empty' | 'matches';

/** What stands at a place of a health row, so that only expressions are made that are valid. */
interface Place {
  path: string[];
  type: 'text' | 'number' | 'yes or no' | 'texts' | 'map';
}

const PLACES: Place[] = [
  { path: ['Node', 'Node'], type: 'text' },
  { path: ['Node', 'Meta', 'os'], type: 'text' },
  { path: ['Node', 'Meta', 'odd key'], type: 'text' },
  { path: ['Node', 'Meta'], type: 'map' },
  { path: ['Node', 'TaggedAddresses', 'lan'], type: 'text' },
  { path: ['Service', 'ID'], type: 'text' },
  { path: ['Service', 'Tags'], type: 'texts' },
  { path: ['Service', 'Meta', 'not'], type: 'text' },
  { path: ['Service', 'Meta'], type: 'map' },
  { path: ['Service', 'Port'], type: 'number' },
  { path: ['Service', 'Weights', 'Passing'], type: 'number' },
  { path: ['Service', 'EnableTagOverride'], type: 'yes or no' },
  { path: ['Service', 'TaggedAddresses', 'lan', 'Port'], type: 'number' },
  { path: ['Service', 'TaggedAddresses'], type: 'map' },
  { path: ['Checks', 'Status'], type: 'text' },
  { path: ['Checks', 'Definition', 'TCPUseTLS'], type: 'yes or no' },
  { path: ['Checks', 'ServiceTags'], type: 'texts' },
  { path: ['Checks', 'Definition', 'Header', 'os'], type: 'texts' },
  { path: ['Checks'], type: 'texts' },
];

const WORDS = ['', 'a', 'web', 'not', 'in', 'web-1', 'passing', 'os', 'odd key', 'lan', 'a"b`', '10', 'ä\n', 'x.y'];
const NUMBERS = [0, 1, 80, -5, 65_535];
const PATTERNS = ['', 'a', '^web', '1$', '^(a|web)-?[0-9]*$', 'w.b', 'os?', '[^a-z]', 'a{2}|^$', '\\.'];

const word = fc.constantFrom(...WORDS);

/** Operators that a type has, each with the values that it takes. */
function matchOf({ path, type }: Place): fc.Arbitrary<Tree> {
  const match = (operator: Operator, value: fc.Arbitrary<string | number | boolean>) =>
    fc.record({
      kind: fc.constant('match' as const),
      path: fc.constant(path),
      operator: fc.constant(operator),
      negated: fc.boolean(),
      value,
    });
  const empty = match('empty', fc.constant(''));
  if (type === 'number') return match('equal', fc.constantFrom(...NUMBERS));
  if (type === 'yes or no') return match('equal', fc.boolean());
  // A list of records has no members to compare.
  if (type === 'map' || path.length === 1) return path.length === 1 ? empty : fc.oneof(empty, match('in', word));
  if (type === 'texts') return fc.oneof(empty, match('in', word));
  return fc.oneof(match('equal', word), match('in', word), match('matches', fc.constantFrom(...PATTERNS)));
}

const match = fc.oneof(...PLACES.map(matchOf));
export const tree: fc.Arbitrary<Tree> = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    match,
    fc.record({ kind: fc.constantFrom('or' as const, 'and' as const), left: tie('tree'), right: tie('tree') }),
    fc.record({ kind: fc.constant('not' as const), inner: tie('tree') }),
  ),
})).tree;

const sparse = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(fields, { requiredKeys: [] });
const texts = fc.option(fc.array(word, { maxLength: 3 }));
const meta = fc.option(
  fc.dictionary(fc.constantFrom('os', 'odd key', 'not', 'a', '__proto__'), word, { noNullPrototype: true, maxKeys: 3 }),
);
const number = fc.constantFrom(...NUMBERS);
const check = sparse({
  Status: word,
  ServiceTags: texts,
  Definition: sparse({
    TCPUseTLS: fc.boolean(),
    Header: fc.dictionary(fc.constantFrom('os', 'a'), fc.array(word, { maxLength: 2 }), { maxKeys: 2 }),
  }),
});

/** Rows as `/v1/health/service` has them; any field may be missing, as those that Go leaves out, and lists may be null. */
export const row = sparse({
  Node: sparse({ Node: word, Meta: meta, TaggedAddresses: fc.dictionary(fc.constantFrom('lan', 'wan'), word) }),
  Service: sparse({
    ID: word,
    Tags: texts,
    Meta: meta,
    Port: number,
    Weights: sparse({ Passing: number }),
    EnableTagOverride: fc.boolean(),
    TaggedAddresses: fc.dictionary(fc.constantFrom('lan', 'wan'), sparse({ Port: number })),
  }),
  Checks: fc.option(fc.array(check, { maxLength: 3 })),
});

const MAPS = new Set(['Meta', 'TaggedAddresses', 'Header']);
const LISTS = new Set(['Checks', 'Tags', 'ServiceTags']);

/** Whether the row is wanted. */
export function isWanted(of: Tree, row: unknown): boolean {
  if (of.kind === 'or') return isWanted(of.left, row) || isWanted(of.right, row);
  if (of.kind === 'and') return isWanted(of.left, row) && isWanted(of.right, row);
  if (of.kind === 'not') return !isWanted(of.inner, row);
  return of.kind === 'match' && matches(of, row, of.path, false);
}

type Match = Extract<Tree, { kind: 'match' }>;

function matches(of: Match, place: unknown, path: string[], inMap: boolean): boolean {
  const [name, ...rest] = path;
  if (name === undefined) return compare(of, place);
  // "Over lists it means any element."
  if (Array.isArray(place)) return place.some((element) => matches(of, element, path, inMap));
  const record = (place ?? {}) as Record<string, unknown>;
  const there = Object.keys(record).includes(name);
  // "Absent map key: ==, in, is not empty are false; all other operators true (a bare `matches` too, a quirk)."
  if (inMap && !there) {
    const negative = of.operator === 'empty' ? !of.negated : of.negated;
    return negative || of.operator === 'matches';
  }
  const value = there ? record[name] : undefined;
  return matches(of, LISTS.has(name) ? (value ?? []) : value, rest, MAPS.has(name));
}

function compare({ operator, negated, value, path }: Match, found: unknown): boolean {
  return holds(operator, value, found, path.at(-1)!) !== negated;
}

function holds(operator: Operator, value: string | number | boolean, found: unknown, name: string): boolean {
  const members = Array.isArray(found) ? found : MAPS.has(name) ? Object.keys((found ?? {}) as object) : undefined;
  if (operator === 'empty') return members!.length === 0;
  if (operator === 'in' && members) return members.includes(value);
  const zero = typeof value === 'number' ? 0 : typeof value === 'boolean' ? false : '';
  if (operator === 'equal') return (found ?? zero) === value;
  if (operator === 'in') return ((found ?? '') as string).includes(value as string);
  return new RegExp(value as string, 'u').test((found ?? '') as string);
}

/** Numbers below 1 that a seed gives, by which one tree is written in its many ways. */
export type Choose = () => number;

/** The tree as text: operands either way round, any form of a value, white space and parentheses that need not be. */
export function written(of: Tree, choose: Choose): string {
  return chain(of, 0, choose);
}

/** `or` binds least (0), then `and` (1), then `not` (2). */
function chain(of: Tree, within: number, choose: Choose): string {
  const space = () => [' ', ' ', '  ', '\t', '\r\n '][Math.floor(choose() * 5)]!;
  const level = of.kind === 'or' ? 0 : of.kind === 'and' ? 1 : 2;
  if (level < within || choose() < 0.1) {
    const [before, after] = [choose() < 0.2 ? space() : '', choose() < 0.2 ? space() : ''];
    return `(${before}${chain(of, 0, choose)}${after})`;
  }
  if (of.kind === 'not') return `not${space()}${chain(of.inner, 2, choose)}`;
  if (of.kind === 'match') return matchText(of, choose, space);
  // All operators of a kind have the same truth, however they are grouped.
  const side = (inner: Tree) => chain(inner, level, choose);
  return `${side(of.left)}${space()}${of.kind}${space()}${side(of.right)}`;
}

function matchText({ path, operator, negated, value }: Match, choose: Choose, space: () => string): string {
  const where = selectorText(path, choose);
  const not = negated ? `not${space()}` : '';
  if (operator === 'empty') return `${where}${space()}is${space()}${not}empty`;
  const what = valueText(value, choose);
  if (operator === 'equal') {
    const [before, after] = [choose() < 0.5 ? space() : '', choose() < 0.5 ? space() : ''];
    return `${where}${before}${negated ? '!=' : '=='}${after}${what}`;
  }
  if (operator === 'matches') return `${where}${space()}${not}matches${space()}${what}`;
  if (choose() < 0.5) return `${where}${space()}${not}contains${space()}${what}`;
  return `${what}${space()}${not}in${space()}${where}`;
}

function selectorText([first, ...rest]: string[], choose: Choose): string {
  const name = (text: string) =>
    /^[A-Za-z]\w*$/.test(text) && choose() < 0.8 ? `.${text}` : `[${quoted(text, choose)}]`;
  return first + rest.map(name).join('');
}

const KEYWORDS = ['and', 'or', 'not', 'in', 'is', 'empty', 'contains', 'matches'];

function valueText(value: string | number | boolean, choose: Choose): string {
  const text = String(value);
  const bare = typeof value === 'number' || /^(0|[1-9]\d*)$/.test(text) || /^[A-Za-z]\w*(\.[A-Za-z]\w*)*$/.test(text);
  return bare && !KEYWORDS.includes(text) && choose() < 0.7 ? text : quoted(text, choose);
}

function quoted(text: string, choose: Choose): string {
  if (!text.includes('`') && choose() < 0.4) return `\`${text}\``;
  const escaped = (char: string) => {
    if (char === '\n') return '\\n';
    if (choose() < 0.1) return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
    return char === '"' || char === '\\' ? `\\${char}` : char;
  };
  return `"${[...text].map(escaped).join('')}"`;
}
