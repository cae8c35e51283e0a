import { AppError } from '../../core/errors.ts';
import { compileFilter, type Predicate } from './compile.ts';
import type { Field } from './fields.ts';
import { FilterError } from './lexer.ts';

const MAX_ENTRIES = 512;

/** The filters compiled lately, by row kind; the oldest goes first. */
const compiled = new Map<Field, Map<string, Predicate>>();

const everything: Predicate = () => true;

/**
 * The predicate of `?filter=` for rows of this kind; an empty expression lets all pass. Row descriptions are constants,
 * so that the cache is bounded by their number.
 * @throws AppError `internal` (Consul answers 500) with Consul's text.
 */
export function filterOf(expression: string, row: Field): Predicate {
  if (expression === '') return everything;
  const known = compiled.get(row) ?? new Map<string, Predicate>();
  compiled.set(row, known);
  const found = known.get(expression);
  if (found) return found;
  const predicate = compile(expression, row);
  if (known.size >= MAX_ENTRIES) known.delete(known.keys().next().value!);
  known.set(expression, predicate);
  return predicate;
}

function compile(expression: string, row: Field): Predicate {
  try {
    return compileFilter(expression, row);
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    throw new AppError('filterInvalid', `Failed to create boolean expression evaluator: ${error.message}`, {
      facts: { field: 'filter' },
    });
  }
}
