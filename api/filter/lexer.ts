/** A piece of a filter expression. `spaced` tells that white space (or the start) stands before it. */
export interface Token {
  readonly kind: 'word' | 'number' | 'string' | 'symbol' | 'end';
  /** A string's content without its quotes, else the text as written. */
  readonly text: string;
  readonly at: number;
  readonly spaced: boolean;
}

/** A filter that cannot be read or does not fit its rows; the text is the client's. */
export class FilterError extends Error {}

const SPACE = /[ \t\r\n]+/y;
const WORD = /[A-Za-z][A-Za-z0-9_]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?![A-Za-z0-9_])/y;
const RAW = /`[^`]*`/y;
const QUOTED = /"(?:[^"\\\n]|\\.)*"/y;
const SYMBOL = /==|!=|[()[\].]/y;

/** The tokens of an expression, the last of which is `end`. @throws FilterError with the place of what is wrong. */
export function tokens(expression: string): Token[] {
  const found: Token[] = [];
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const text = pattern.exec(expression)?.[0];
    at += text?.length ?? 0;
    return text;
  };
  for (;;) {
    const spaced = take(SPACE) !== undefined || at === 0;
    const start = at;
    if (at === expression.length) return [...found, { kind: 'end', text: '', at, spaced: true }];
    const read = (kind: Token['kind'], text: string | undefined) => text !== undefined && { kind, text };
    const token =
      read('word', take(WORD)) ||
      read('number', take(NUMBER)) ||
      read('string', take(RAW)?.slice(1, -1)) ||
      read('string', unquoted(take(QUOTED), start)) ||
      read('symbol', take(SYMBOL));
    if (!token) throw new FilterError(`1:${at + 1} (${at}): no match found at ${JSON.stringify(expression[at])}`);
    found.push({ ...token, at: start, spaced });
  }
}

const ESCAPES: Record<string, string> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

/** Go's escapes of an interpreted string. */
function unquoted(text: string | undefined, at: number): string | undefined {
  return text
    ?.slice(1, -1)
    .replace(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([0-7]{3})|(.))/g, (_all, hex, unicode, octal, one) => {
      if (hex || unicode) return String.fromCharCode(Number.parseInt(hex ?? unicode, 16));
      if (octal) return String.fromCharCode(Number.parseInt(octal, 8));
      if (one === '"' || one === '\\') return one;
      const plain = ESCAPES[one];
      if (plain === undefined) throw new FilterError(`1:${at + 1} (${at}): invalid escape "\\${one}" in a string`);
      return plain;
    });
}
