import { RE2JS } from 're2js';
import { AppError, errorText } from './errors.ts';

/** A longer pattern is refused: nobody writes it by hand, and a program grows with its pattern. */
const MAX_PATTERN_LENGTH = 1024;

/** A regular expression in Go's syntax (RE2): its time is linear in the text, whatever the pattern. */
export interface Regexp {
  /** Whether it matches anywhere in the text. */
  test(text: string): boolean;
  /** The whole match and its groups ('' for a group that took no part); undefined when there is no match. */
  groups(text: string): string[] | undefined;
}

/** @throws AppError `badRequest` with the text that Go gives for what is wrong. */
export function compileRegexp(pattern: string): Regexp {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    throw new AppError(
      'badRequest',
      `error parsing regexp: the pattern has ${pattern.length} characters; at most ${MAX_PATTERN_LENGTH} are taken`,
    );
  }
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern);
  } catch (cause) {
    throw new AppError('badRequest', errorText(cause), { cause });
  }
  return {
    test: (text) => compiled.matcher(text).find(),
    groups(text) {
      const matcher = compiled.matcher(text);
      if (!matcher.find()) return undefined;
      return Array.from({ length: matcher.groupCount() + 1 }, (_, at) => matcher.group(at) ?? '');
    },
  };
}
