import { errorText } from '../../core/errors.ts';
import { compileRegexp } from '../../core/regexp.ts';
import { FilterError } from './lexer.ts';

/** Whether a text has a match of the pattern. @throws FilterError with Go's text for a bad pattern. */
export function regularExpression(pattern: string): (text: string) => boolean {
  try {
    const compiled = compileRegexp(pattern);
    return (text) => compiled.test(text);
  } catch (error) {
    throw new FilterError(`Failed to compile regular expression ${JSON.stringify(pattern)}: ${errorText(error)}`);
  }
}
