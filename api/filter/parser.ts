import { FilterError, type Token, tokens } from './lexer.ts';

export type Operator =
  | 'Equal'
  | 'Not Equal'
  | 'In'
  | 'Not In'
  | 'Is Empty'
  | 'Is Not Empty'
  | 'Matches'
  | 'Not Matches';

/** A filter expression as a tree; `or` and `and` hold two operands or more. */
export type Expression =
  | { readonly kind: 'or' | 'and'; readonly operands: readonly Expression[] }
  | { readonly kind: 'not'; readonly operand: Expression }
  | { readonly kind: 'match'; readonly selector: Selector; readonly operator: Operator; readonly value: string };

export interface Selector {
  readonly path: readonly string[];
  /** As the client wrote it, for error texts. */
  readonly text: string;
}

/** What goes beyond these is refused; they bound the work of one request. Steps are those of all its patterns together. */
export const FILTER_LIMITS = { length: 16_384, depth: 100, patternSteps: 2000 };

/** Reads Consul's filter language: `or` < `and` < `not` < parentheses. @throws FilterError. */
export function parseFilter(expression: string): Expression {
  if (expression.length > FILTER_LIMITS.length) {
    throw new FilterError(`the expression is longer than ${FILTER_LIMITS.length} characters`);
  }
  const parser = new Parser(tokens(expression));
  return parser.whole();
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(all: readonly Token[]) {
    this.#tokens = all;
  }

  whole(): Expression {
    const expression = this.#chain('or');
    if (this.#next.kind !== 'end') throw this.#unexpected('"and", "or" or the end');
    return expression;
  }

  get #next(): Token {
    return this.#tokens[this.#at]!;
  }

  #chain(kind: 'or' | 'and'): Expression {
    const operand = () => (kind === 'or' ? this.#chain('and') : this.#negation());
    const operands = [operand()];
    while (this.#keyword(kind)) operands.push(operand());
    return operands.length === 1 ? operands[0]! : { kind, operands };
  }

  #negation(): Expression {
    if (!this.#keyword('not')) return this.#isSymbol('(') ? this.#group() : this.#match();
    return this.#deeper(() => ({ kind: 'not', operand: this.#negation() }));
  }

  #group(): Expression {
    return this.#deeper(() => {
      this.#at += 1;
      const inner = this.#chain('or');
      if (!this.#isSymbol(')')) throw this.#unexpected('")"');
      this.#at += 1;
      return inner;
    });
  }

  #match(): Expression {
    const first = this.#next;
    if (first.kind === 'word') {
      const selector = this.#selector();
      const matched = this.#selectorFirst(selector);
      if (matched) return matched;
      return this.#valueFirst(selector.text);
    }
    return this.#valueFirst(this.#value());
  }

  #selectorFirst(selector: Selector): Expression | undefined {
    for (const [symbol, operator] of [
      ['==', 'Equal'],
      ['!=', 'Not Equal'],
    ] as const) {
      if (!this.#isSymbol(symbol)) continue;
      this.#at += 1;
      return { kind: 'match', selector, operator, value: this.#value() };
    }
    if (this.#keyword('is')) {
      const operator = this.#keyword('not') ? 'Is Not Empty' : 'Is Empty';
      if (!this.#isWord('empty')) throw this.#unexpected('"empty"');
      this.#at += 1;
      return { kind: 'match', selector, operator, value: '' };
    }
    for (const [word, yes, no] of [
      ['contains', 'In', 'Not In'],
      ['matches', 'Matches', 'Not Matches'],
    ] as const) {
      const operator = this.#keyword(word) ? yes : this.#keyword('not', word) ? no : undefined;
      if (operator) return { kind: 'match', selector, operator, value: this.#value() };
    }
    return undefined;
  }

  #valueFirst(value: string): Expression {
    const operator = this.#keyword('in') ? 'In' : this.#keyword('not', 'in') ? 'Not In' : undefined;
    if (!operator) throw this.#unexpected('an operator');
    if (this.#next.kind !== 'word') throw this.#unexpected('a selector');
    return { kind: 'match', selector: this.#selector(), operator, value };
  }

  #value(): string {
    const { kind, text } = this.#next;
    if (kind === 'word') return this.#selector().text;
    if (kind !== 'number' && kind !== 'string') throw this.#unexpected('a value');
    this.#at += 1;
    return text;
  }

  #selector(): Selector {
    let text = this.#next.text;
    const path = [text];
    this.#at += 1;
    for (;;) {
      const [symbol, name, close] = this.#tokens.slice(this.#at, this.#at + 3);
      if (!symbol || symbol.spaced || !name || !opensField(symbol)) return { path, text };
      if (symbol.text === '.' && name.kind === 'word' && !name.spaced) {
        text += `.${name.text}`;
        this.#at += 2;
      } else if (symbol.text === '[' && name.kind === 'string' && close?.text === ']') {
        text += `.${name.text}`;
        this.#at += 3;
      } else {
        throw this.#unexpected('a field name');
      }
      path.push(name.text);
    }
  }

  /** Takes the keywords when all stand here with white space around them. */
  #keyword(...words: readonly string[]): boolean {
    const fits = words.every((word, offset) => {
      const token = this.#tokens[this.#at + offset];
      const prefix = word === 'not' && (this.#tokens[this.#at + offset - 1]?.text ?? '(') === '(';
      const after = this.#tokens[this.#at + offset + 1];
      return token?.kind === 'word' && token.text === word && (token.spaced || prefix) && after?.spaced === true;
    });
    if (fits) this.#at += words.length;
    return fits;
  }

  #isSymbol(text: string): boolean {
    return this.#next.kind === 'symbol' && this.#next.text === text;
  }

  #isWord(text: string): boolean {
    return this.#next.kind === 'word' && this.#next.text === text;
  }

  #deeper<T>(read: () => T): T {
    this.#depth += 1;
    if (this.#depth > FILTER_LIMITS.depth) {
      throw new FilterError(`the expression is nested deeper than ${FILTER_LIMITS.depth} levels`);
    }
    const result = read();
    this.#depth -= 1;
    return result;
  }

  #unexpected(wanted: string): FilterError {
    const { at, kind, text } = this.#next;
    const found = kind === 'end' ? 'the end' : JSON.stringify(text);
    return new FilterError(`1:${at + 1} (${at}): no match found, expected ${wanted}, got ${found}`);
  }
}

function opensField({ kind, text }: Token): boolean {
  return kind === 'symbol' && (text === '.' || text === '[');
}
