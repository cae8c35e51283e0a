import { type Context, fill } from './context.ts';

const TYPES: Readonly<Record<string, string>> = {
  uuid: '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}',
  time: '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(?:\\.\\d+)?(?:Z|[+-]\\d\\d:\\d\\d)',
  index: '\\d+',
  int: '-?\\d+',
  number: '-?\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?',
  port: '\\d{1,5}',
  version: 'v?\\d+\\.\\d+\\.\\d+\\S*',
  hex: '[0-9a-fA-F:]+',
  string: '.+',
  any: '.*',
  duration: '(?:\\d+(?:\\.\\d+)?(?:h|ms|m|s|µs|ns))+',
  bool: 'true|false',
  pem: '\\s*-----BEGIN .*-----END [A-Z ]+-----\\s*',
};
const TOKEN = new RegExp(`<(${Object.keys(TYPES).join('|')})(?::(\\d+))?>|\\$\\{([\\w.]+)\\}`, 'g');

/** Compares an expected value with what was seen; each difference is one line. */
export function compare(
  context: Context,
  expected: unknown,
  got: unknown,
  where: { path: string; unordered: boolean },
): string[] {
  const { path, unordered } = where;
  if (typeof expected === 'string' && !isComposite(got)) {
    return textMatches(context, expected, got) ? [] : [`${path}: expected ${show(expected)} got ${show(got)}`];
  }
  if (expected === '<any>') return [];
  if (Array.isArray(expected) && Array.isArray(got)) {
    if (expected.length !== got.length)
      return [`${path}: expected ${expected.length} items got ${got.length}: ${show(got)}`];
    if (unordered) return compareUnordered(context, expected, got, path);
    return expected.flatMap((item, at) => compare(context, item, got[at], { path: `${path}[${at}]`, unordered }));
  }
  if (isObject(expected) && isObject(got)) return compareObjects(context, expected, got, where);
  return expected === got ? [] : [`${path}: expected ${show(expected)} got ${show(got)}`];
}

function compareObjects(
  context: Context,
  expected: Record<string, unknown>,
  got: Record<string, unknown>,
  { path, unordered }: { path: string; unordered: boolean },
): string[] {
  const wanted = new Map(Object.keys(expected).map((key) => [fill(context, key), key]));
  const diffs: string[] = [];
  for (const [key, original] of wanted)
    if (!(key in got)) diffs.push(`${path}.${key}: expected ${show(expected[original])} got no such key`);
  for (const key of Object.keys(got))
    if (!wanted.has(key)) diffs.push(`${path}.${key}: expected no such key got ${show(got[key])}`);
  for (const [key, original] of wanted)
    if (key in got)
      diffs.push(...compare(context, expected[original], got[key], { path: `${path}.${key}`, unordered }));
  return diffs;
}

function compareUnordered(
  context: Context,
  expected: readonly unknown[],
  got: readonly unknown[],
  path: string,
): string[] {
  const left = [...got];
  return expected.flatMap((item, at) => {
    for (const [place, candidate] of left.entries()) {
      const before = new Map(context.bound);
      if (compare(context, item, candidate, { path, unordered: true }).length === 0) {
        left.splice(place, 1);
        return [];
      }
      context.bound = before;
    }
    return [`${path}[${at}]: expected ${show(item)} got none like it among ${show(left)}`];
  });
}

/** A text with placeholders against a scalar; numbered ones are bound at first sight. */
function textMatches(context: Context, expected: string, got: unknown): boolean {
  const tokens = [...expected.matchAll(TOKEN)];
  if (tokens.length === 0) return expected === got;
  let pattern = '';
  let position = 0;
  const binds: string[] = [];
  for (const token of tokens) {
    pattern += RegExp.escape(expected.slice(position, token.index));
    position = token.index + token[0].length;
    const [whole, kind = '', number, variable] = token;
    const name = `${kind}:${number}`;
    const known = context.bound.get(name);
    if (variable !== undefined) pattern += RegExp.escape(context.variables.get(variable) ?? whole);
    else if (number !== undefined && known !== undefined) pattern += RegExp.escape(known);
    else if (number !== undefined) {
      pattern += `(${TYPES[kind]})`;
      binds.push(name);
    } else pattern += `(?:${TYPES[kind]})`;
  }
  const text = typeof got === 'string' ? got : JSON.stringify(got);
  const found = new RegExp(`^(?:${pattern}${RegExp.escape(expected.slice(position))})$`, 's').exec(text ?? 'null');
  if (!found) return false;
  for (const [at, name] of binds.entries()) context.bound.set(name, found[at + 1]!);
  return true;
}

/** `equal:X`, `differs:X`, `greater-than:X`, `at-least:X`, `less-than:X`, `matches:REGEX`, `present`, `absent`. */
export function relationHolds(context: Context, relation: string, got: unknown): boolean {
  const filled = fill(context, relation);
  const colon = filled.indexOf(':');
  const kind = colon < 0 ? filled : filled.slice(0, colon);
  const operand = colon < 0 ? '' : filled.slice(colon + 1);
  const isAbsent = got === undefined || got === null;
  if (kind === 'absent' || kind === 'present') return isAbsent === (kind === 'absent');
  if (isAbsent) return false;
  const text = typeof got === 'string' ? got : JSON.stringify(got);
  if (kind === 'matches') return new RegExp(operand).test(text);
  if (kind === 'equal' || kind === 'differs') return (text === operand) === (kind === 'equal');
  const [left, right] = [Number(text), Number(operand)];
  if (kind === 'greater-than') return left > right;
  return kind === 'at-least' ? left >= right : left < right;
}

export function show(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
  return text.length <= 110 ? text : `${text.slice(0, 107)}...`;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isComposite(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}
