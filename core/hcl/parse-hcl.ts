import { Scanner, type Token } from './scanner.ts';

export type HclValue = string | number | boolean | null | HclValue[] | HclObject;
export interface HclObject {
  [key: string]: HclValue;
}

/** A file's content, and the keys that it gives more than once (the last one counts). */
export interface ParsedHcl {
  readonly value: HclObject;
  readonly duplicates: readonly { readonly key: string; readonly line: number }[];
}

/** More would be a mistake, and the stack is finite. */
const MAX_DEPTH = 64;

/**
 * Reads HCL 1 as Consul's configuration files use it. A block that is given once is an object, a block that is given
 * again a list of objects; `service "web" {}` is `{service: {web: {}}}`. JSON text is read too, then without `interpolation`.
 * @throws AppError `config` with line and column.
 */
export function parseHcl(text: string, options: { interpolation: boolean } = { interpolation: true }): ParsedHcl {
  return new Parser(text, options).file();
}

class Parser {
  readonly #scanner: Scanner;
  readonly #duplicates: { key: string; line: number }[] = [];
  /** Which lists came of repeated blocks: these grow, lists that were written do not. */
  readonly #repeated = new WeakSet<HclValue[]>();
  #token: Token;
  #depth = 0;

  constructor(text: string, options: { interpolation: boolean }) {
    this.#scanner = new Scanner(text, options);
    this.#token = this.#scanner.next();
  }

  file(): ParsedHcl {
    const whole = this.#token.kind === '{';
    const value = whole ? this.#object('') : this.#members('', 'end');
    if (this.#token.kind !== 'end') throw this.#unexpected('the end of the file');
    return { value, duplicates: this.#duplicates };
  }

  #take(kind: Token['kind'], wanted: string): Token {
    const token = this.#token;
    if (token.kind !== kind) throw this.#unexpected(wanted);
    this.#token = this.#scanner.next();
    return token;
  }

  #unexpected(wanted: string): Error {
    const { kind, text, at } = this.#token;
    return this.#scanner.error(`expected ${wanted}, found ${kind === 'end' ? text : JSON.stringify(text)}`, at);
  }

  #deeper<T>(read: () => T): T {
    if (++this.#depth > MAX_DEPTH) throw this.#scanner.error(`more than ${MAX_DEPTH} levels`, this.#token.at);
    const value = read();
    this.#depth--;
    return value;
  }

  #object(path: string): HclObject {
    this.#take('{', '{');
    const value = this.#deeper(() => this.#members(path, '}'));
    this.#take('}', 'a key or }');
    return value;
  }

  #members(path: string, end: '}' | 'end'): HclObject {
    const object: HclObject = Object.create(null) as HclObject;
    while (this.#token.kind !== end) {
      this.#member(object, path);
      if (this.#token.kind === ',') this.#token = this.#scanner.next();
    }
    return object;
  }

  /** `key = value`, `"key": value`, `key { … }` or `key "label" … { … }`. */
  #member(into: HclObject, path: string): void {
    const { at } = this.#token;
    const keys = [this.#key()];
    while (this.#token.kind === 'name' || this.#token.kind === 'string') {
      if (keys.length > MAX_DEPTH) throw this.#scanner.error(`more than ${MAX_DEPTH} labels`, at);
      keys.push(this.#key());
    }
    const inner = [path, ...keys].filter((part) => part !== '').join('.');
    let value: HclValue;
    if (this.#token.kind === '{') value = this.#object(inner);
    else if (keys.length > 1) throw this.#unexpected('{ after the labels of a block');
    else {
      if (this.#token.kind !== ':') this.#take('=', '= or { after a key');
      else this.#token = this.#scanner.next();
      value = this.#value(inner);
    }
    for (const label of keys.slice(1).reverse()) {
      const wrapped: HclObject = Object.create(null) as HclObject;
      wrapped[label] = value;
      value = wrapped;
    }
    this.#put(into, keys[0]!, value, { path: inner, at });
  }

  #key(): string {
    if (this.#token.kind === 'string') return this.#take('string', '').text;
    return this.#take('name', 'a key').text;
  }

  #put(into: HclObject, key: string, value: HclValue, where: { path: string; at: number }): void {
    const before = into[key];
    if (before === undefined) into[key] = value;
    else if (isObject(value) && Array.isArray(before) && this.#repeated.has(before)) before.push(value);
    else if (isObject(value) && isObject(before)) {
      const list = [before, value];
      this.#repeated.add(list);
      into[key] = list;
    } else {
      this.#duplicates.push({ key: where.path, line: this.#scanner.position(where.at).line });
      into[key] = value;
    }
  }

  #value(path: string): HclValue {
    const { kind, text } = this.#token;
    if (kind === '{') return this.#object(path);
    if (kind === '[') return this.#list(path);
    if (kind === 'string') return this.#take('string', '').text;
    if (kind === 'number') return this.#number();
    if (kind === 'name' && (text === 'true' || text === 'false' || text === 'null')) {
      this.#token = this.#scanner.next();
      return text === 'null' ? null : text === 'true';
    }
    throw this.#unexpected('a value (text stands in quotes)');
  }

  #number(): number {
    const { text, at } = this.#take('number', 'a number');
    const [, sign, digits] = /^([+-]?)(.*)$/.exec(text)!;
    const octal = /^0\d+$/.test(digits!);
    const size = octal ? (/^[0-7]+$/.test(digits!) ? parseInt(digits!, 8) : NaN) : Number(digits);
    if (!Number.isFinite(size)) throw this.#scanner.error(`${text} is no number`, at);
    return sign === '-' ? -size : size;
  }

  #closesList(): boolean {
    return this.#token.kind === ']';
  }

  #list(path: string): HclValue[] {
    this.#take('[', '[');
    const list: HclValue[] = [];
    this.#deeper(() => {
      while (this.#token.kind !== ']') {
        list.push(this.#value(path));
        if (!this.#closesList()) this.#take(',', ', or ] after an element of a list');
      }
    });
    this.#take(']', ']');
    return list;
  }
}

function isObject(value: HclValue): value is HclObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
