import { patternSteps } from '../../core/regexp.ts';
import type { Field } from './fields.ts';
import { FilterError } from './lexer.ts';
import { type Expression, FILTER_LIMITS, type Operator, parseFilter, type Selector } from './parser.ts';
import { regularExpression } from './regular-expression.ts';

/** Whether a row is wanted. */
export type Predicate = (row: unknown) => boolean;

type Match = Extract<Expression, { kind: 'match' }>;

/** Checks an expression against what rows look like and makes a predicate of it. @throws FilterError. */
export function compileFilter(expression: string, row: Field): Predicate {
  const tree = parseFilter(expression);
  const steps = stepsOf(tree);
  if (steps > FILTER_LIMITS.patternSteps) {
    throw new FilterError(
      `the patterns have ${steps} steps with their repetitions written out, together more than ${FILTER_LIMITS.patternSteps}`,
    );
  }
  return compiled(tree, row);
}

function stepsOf(expression: Expression): number {
  if (expression.kind === 'not') return stepsOf(expression.operand);
  if (expression.kind === 'match') return expression.operator.endsWith('Matches') ? patternSteps(expression.value) : 0;
  return expression.operands.reduce((sum, operand) => sum + stepsOf(operand), 0);
}

function compiled(expression: Expression, row: Field): Predicate {
  if (expression.kind === 'match') return matchAt(expression, row, 0);
  if (expression.kind === 'not') {
    const operand = compiled(expression.operand, row);
    return (value) => !operand(value);
  }
  const operands = expression.operands.map((operand) => compiled(operand, row));
  if (expression.kind === 'or') return (value) => operands.some((operand) => operand(value));
  return (value) => operands.every((operand) => operand(value));
}

/** Of a map's key that is absent, these are false and all other operators true. */
const FALSE_WHEN_ABSENT: ReadonlySet<Operator> = new Set(['Equal', 'In', 'Is Not Empty']);

/** Follows the selector through structs and maps; over a list, any element may match. */
function matchAt(match: Match, field: Field, depth: number): Predicate {
  const name = match.selector.path[depth];
  if (name === undefined) return comparison(match, field);
  if (field.kind === 'struct') {
    const inner = Object.hasOwn(field.fields, name) ? field.fields[name] : undefined;
    if (!inner) throw invalid(match.selector);
    const next = matchAt(match, inner, depth + 1);
    return (value) => next(ownValue(value, name));
  }
  if (field.kind === 'map') {
    const next = matchAt(match, field.of, depth + 1);
    const whenAbsent = !FALSE_WHEN_ABSENT.has(match.operator);
    return (value) => (hasKey(value, name) ? next(ownValue(value, name)) : whenAbsent);
  }
  if (field.kind === 'list') {
    const next = matchAt(match, field.of, depth);
    return (value) => Array.isArray(value) && value.some(next);
  }
  throw invalid(match.selector);
}

function comparison(match: Match, field: Field): Predicate {
  if (match.operator.startsWith('Not ')) {
    const positive = comparison({ ...match, operator: match.operator.slice(4) as Operator }, field);
    return (value) => !positive(value);
  }
  if (field.kind === 'string') return ofText(match);
  if (field.kind === 'list' || field.kind === 'map') return ofCollection(match, field);
  if (match.operator !== 'Equal' || field.kind === 'struct') throw unsupported(match);
  const wanted = coerced(match, field.kind);
  const zero = field.kind === 'bool' ? false : 0;
  return (value) => (value ?? zero) === wanted;
}

function ofText(match: Match): Predicate {
  const wanted = match.value;
  if (match.operator === 'Equal') return (value) => text(value) === wanted;
  if (match.operator === 'In') return (value) => text(value).includes(wanted);
  if (match.operator !== 'Matches') throw unsupported(match);
  const matches = regularExpression(wanted);
  return (value) => matches(text(value));
}

function ofCollection(match: Match, field: Extract<Field, { kind: 'list' | 'map' }>): Predicate {
  if (match.operator === 'Is Empty') return (value) => sizeOf(value) === 0;
  if (match.operator === 'Is Not Empty') return (value) => sizeOf(value) > 0;
  if (match.operator !== 'In') throw unsupported(match);
  if (field.kind === 'map') return (value) => hasKey(value, match.value);
  const { kind } = field.of;
  if (kind === 'list' || kind === 'map' || kind === 'struct') throw unsupported(match);
  const wanted = kind === 'string' ? match.value : coerced(match, kind);
  return (value) => Array.isArray(value) && value.includes(wanted);
}

function coerced(match: Match, kind: 'int' | 'float' | 'bool'): number | boolean {
  const { value } = match;
  if (kind === 'bool') {
    if (/^(1|t|T|TRUE|true|True)$/.test(value)) return true;
    if (/^(0|f|F|FALSE|false|False)$/.test(value)) return false;
    throw uncoerced(match, 'ParseBool');
  }
  const form =
    kind === 'int' ? /^[+-]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|\d+)$/ : /^[+-]?\d+(\.\d*)?([eE][+-]?\d+)?$/;
  if (!form.test(value)) throw uncoerced(match, kind === 'int' ? 'ParseInt' : 'ParseFloat');
  return value.startsWith('-') ? -Number(value.slice(1)) : Number(value.replace('+', ''));
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function hasKey(value: unknown, key: string): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key);
}

function ownValue(value: unknown, key: string): unknown {
  return hasKey(value, key) ? (value as Record<string, unknown>)[key] : undefined;
}

function sizeOf(value: unknown): number {
  if (Array.isArray(value)) return value.length;
  return typeof value === 'object' && value !== null ? Object.keys(value).length : 0;
}

function invalid({ text }: Selector): FilterError {
  return new FilterError(`Selector ${JSON.stringify(text)} is not valid`);
}

function unsupported({ operator, selector }: Match): FilterError {
  return new FilterError(
    `Invalid match operator ${JSON.stringify(operator)} for selector ${JSON.stringify(selector.text)}`,
  );
}

function uncoerced({ selector, value }: Match, go: string): FilterError {
  const quoted = JSON.stringify(value);
  return new FilterError(
    `Failed to coerce value ${quoted} for selector ${JSON.stringify(selector.text)}: strconv.${go}: parsing ${quoted}: invalid syntax`,
  );
}
