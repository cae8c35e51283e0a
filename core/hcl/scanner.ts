import { AppError } from '../errors.ts';

/** A piece of HCL text. `text` of a string is its value; of anything else, what was written. */
export interface Token {
  readonly kind: 'name' | 'string' | 'number' | '{' | '}' | '[' | ']' | ',' | '=' | ':' | 'end';
  readonly text: string;
  readonly at: number;
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
  '/': '/',
};

const OPENS = '\x24{';

/** Cuts HCL 1 (and JSON, whose tokens are a part of it) into tokens, one at a time. */
export class Scanner {
  readonly #text: string;
  #at = 0;
  /** Where each line begins; made when it is asked for. */
  #starts: number[] | undefined;

  /** Whether `${…}` in a string is kept as one piece, quotes inside included. */
  readonly #interpolation: boolean;

  constructor(text: string, options: { interpolation: boolean }) {
    this.#interpolation = options.interpolation;
    this.#text = text.startsWith('\ufeff') ? text.slice(1) : text;
  }

  /** @throws AppError `config` with line and column. */
  next(): Token {
    this.#skipBlank();
    const at = this.#at;
    const char = this.#text[at];
    if (char === undefined) return { kind: 'end', text: 'the end of the file', at };
    if (char === '"') return { kind: 'string', text: this.#string(), at };
    if (this.#text.startsWith('<<', at)) return { kind: 'string', text: this.#heredoc(), at };
    if ('{}[],=:'.includes(char)) {
      this.#at++;
      return { kind: char as Token['kind'], text: char, at };
    }
    const word = this.#match(/[\p{L}_][\p{L}\p{N}_.-]*/uy);
    if (word !== undefined) return { kind: 'name', text: word, at };
    const number = this.#match(/[+-]?(0x[0-9a-f]+|\d+(\.\d+)?(e[+-]?\d+)?)(?![\w.])/iy);
    if (number !== undefined) return { kind: 'number', text: number, at };
    throw this.error(`${JSON.stringify(char)} is not expected here`, at);
  }

  /** An error at this place. */
  error(text: string, at: number): AppError {
    const { line, column } = this.position(at);
    return new AppError('config', `line ${line}, column ${column}: ${text}`, { facts: { line, column } });
  }

  position(at: number): { line: number; column: number } {
    this.#starts ??= [0, ...[...this.#text.matchAll(/\n/g)].map((found) => found.index + 1)];
    let [low, high] = [0, this.#starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#starts[middle]! <= at) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: at - this.#starts[low]! + 1 };
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #skipBlank(): void {
    for (;;) {
      this.#match(/\s+/y);
      if (this.#match(/#[^\n]*|\/\/[^\n]*/y) !== undefined) continue;
      if (!this.#text.startsWith('/*', this.#at)) return;
      const end = this.#text.indexOf('*/', this.#at + 2);
      if (end < 0) throw this.error('this comment has no end; write */', this.#at);
      this.#at = end + 2;
    }
  }

  #string(): string {
    const start = this.#at++;
    let out = '';
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined || char === '\n') throw this.error('this string has no end; write "', start);
      if (char === '"') break;
      if (char === '\\') out += this.#escape();
      else if (this.#interpolation && this.#text.startsWith(OPENS, this.#at)) out += this.#interpolated();
      else {
        out += char;
        this.#at++;
      }
    }
    this.#at++;
    return out;
  }

  #escape(): string {
    const at = this.#at++;
    const char = this.#text[this.#at] ?? '';
    const simple = Object.hasOwn(ESCAPES, char) ? ESCAPES[char] : undefined;
    if (simple !== undefined) {
      this.#at++;
      return simple;
    }
    const coded = this.#match(/x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}/y);
    const code = coded === undefined ? NaN : /^\d/.test(coded) ? parseInt(coded, 8) : parseInt(coded.slice(1), 16);
    if (!(code <= 0x10ffff)) throw this.error(`\\${char} is no escape in a string; a backslash itself is \\\\`, at);
    return String.fromCodePoint(code);
  }

  #interpolated(): string {
    const start = this.#at;
    let depth = 0;
    do {
      const char = this.#text[this.#at++];
      if (char === undefined) throw this.error('this interpolation has no end; write }', start);
      if (char === '{') depth++;
      if (char === '}') depth--;
    } while (depth > 0 || this.#at === start + 1);
    return this.#text.slice(start, this.#at);
  }

  #heredoc(): string {
    const start = this.#at;
    const head = this.#match(/<<-?[\p{L}_][\p{L}\p{N}_]*[ \t]*\r?\n/uy);
    if (head === undefined) throw this.error('write << and a word that ends the text, on a line of its own', start);
    const indented = head.startsWith('<<-');
    const marker = head.replace(/^<<-?/, '').trim();
    const lines: string[] = [];
    for (;;) {
      const line = this.#match(/[^\n]*/y) ?? '';
      if (line.trim() === marker && (indented || line.trimEnd() === marker)) break;
      if (this.#text[this.#at] === undefined)
        throw this.error(`this text has no end; write ${marker} on a line`, start);
      this.#at++;
      lines.push(`${line.replace(/\r$/, '')}\n`);
    }
    if (!indented) return lines.join('');
    const depths = lines.filter((line) => line.trim() !== '').map((line) => /^[ \t]*/.exec(line)![0].length);
    const cut = Math.min(...depths, 1_000);
    return lines.map((line) => (line.trim() === '' ? line.trimStart() || '\n' : line.slice(cut))).join('');
  }
}
