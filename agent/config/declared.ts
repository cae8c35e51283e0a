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

/** Reads what is declared, and keeps what is wrong with it until all has been read: then it is told at once, a line each. */
export class DeclaredReader {
  readonly #problems: unknown[] = [];

  /** What `read` makes of each of them; those for which it throws are left out. */
  each<T>(declared: readonly Declared[], read: (one: Declared) => T): T[] {
    return declared.flatMap((one) => {
      try {
        return [read(one)];
      } catch (error) {
        this.#problems.push(error);
        return [];
      }
    });
  }

  /** @throws AppError `config` naming files, blocks and fields, when anything was wrong. */
  assertAllRead(): void {
    const [first, ...others] = this.#problems;
    if (first === undefined) return;
    if (others.length === 0) throw first;
    const lines = this.#problems.slice(0, MAX_PROBLEMS).map(errorText);
    if (this.#problems.length > MAX_PROBLEMS) lines.push(`and ${this.#problems.length - MAX_PROBLEMS} more problems`);
    throw new AppError('config', lines.join('\n'), { cause: first });
  }
}

/** What is wrong with one of them, which it calls by its name too, in one line. */
export function declaredError({ file, key, value }: Declared, text: string): AppError {
  const name = Object.entries(value).find(([field]) => field.toLowerCase() === 'name')?.[1] as unknown;
  const shown = typeof name === 'string' && name !== '' ? ` (${JSON.stringify(name)})` : '';
  return configError(file, `${key}${shown}:`, text.trim().replace(/\s*\n\s*/g, ' '));
}
