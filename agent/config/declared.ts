import { AppError, errorText } from '../../core/errors.ts';
import { configError } from './config-text.ts';

/** A block of a configuration that is one of several, such as a service. */
export interface Declared {
  /** The file that it is from, or what stands for it. */
  readonly file: string;
  /** Where in the file: `services[1]`, or `services` when it is no list. */
  readonly key: string;
  readonly value: object;
}

/** Problems that are told at once; more would hide the first of them. */
const MAX_PROBLEMS = 20;

/**
 * Reads each of them, and tells all that are wrong at once, a line each.
 * @throws AppError `config` naming files, blocks and fields.
 */
export function readDeclared<T>(declared: readonly Declared[], read: (one: Declared) => T): T[] {
  const problems: unknown[] = [];
  const results = declared.flatMap((one) => {
    try {
      return [read(one)];
    } catch (error) {
      problems.push(error);
      return [];
    }
  });
  if (problems.length === 1) throw problems[0];
  if (problems.length > 1) {
    const lines = problems.slice(0, MAX_PROBLEMS).map(errorText);
    if (problems.length > MAX_PROBLEMS) lines.push(`and ${problems.length - MAX_PROBLEMS} more problems`);
    throw new AppError('config', lines.join('\n'), { cause: problems[0] });
  }
  return results;
}

/** What is wrong with one of them, which it calls by its name too. */
export function declaredError({ file, key, value }: Declared, text: string): AppError {
  const name = Object.entries(value).find(([field]) => field.toLowerCase() === 'name')?.[1] as unknown;
  const shown = typeof name === 'string' && name !== '' ? ` (${JSON.stringify(name)})` : '';
  return configError(file, `${key}${shown}:`, text);
}
