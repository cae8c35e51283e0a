import { createRequire } from 'node:module';
import type { RE2JS } from 're2js';
import { AppError, errorText } from './errors.ts';

/** The engine is read with the first pattern: most processes see none. */
let engine: typeof RE2JS | undefined;

function compile(pattern: string): RE2JS {
  engine ??= (createRequire(import.meta.url)('re2js') as { RE2JS: typeof RE2JS }).RE2JS;
  return engine.compile(pattern);
}

/** A longer pattern is refused: nobody writes it by hand, and a program grows with its pattern. */
const MAX_PATTERN_LENGTH = 1024;

/** More steps are refused: compiling takes longer than in proportion, and a text is matched against every step. */
const MAX_PATTERN_STEPS = 1000;

/** RE2 takes no higher count of a repetition, and says so by itself. */
const MAX_REPEAT = 1000;

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
  const steps = patternSteps(pattern);
  if (steps > MAX_PATTERN_STEPS) {
    throw new AppError(
      'badRequest',
      `error parsing regexp: the pattern has ${steps} steps with its repetitions written out; at most ${MAX_PATTERN_STEPS} are taken`,
    );
  }
  let compiled: RE2JS;
  try {
    compiled = compile(pattern);
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

/** Quoted text, escapes and classes as one piece each; a counted repetition; anything else is a character. */
const PIECE = /\\Q.*?(?:\\E|$)|\\[pPx]\{[^}]*\}|\\.|\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]?|\{(\d+)(,)?(\d*)\}|./gs;

/** How many characters, classes and groups a pattern has when its counted repetitions are written out. */
export function patternSteps(pattern: string): number {
  const open: { total: number; last: number }[] = [];
  let group = { total: 0, last: 0 };
  const add = (steps: number) => {
    group.last = steps;
    group.total += steps;
  };
  for (const [text, least, comma, most] of pattern.matchAll(PIECE)) {
    if (text === '(') {
      open.push(group);
      group = { total: 0, last: 0 };
    } else if (text === ')' && open.length > 0) {
      const inside = group.total;
      group = open.pop()!;
      add(inside + 2);
    } else if (least !== undefined) {
      const count = Number(most || least);
      const more = count > MAX_REPEAT ? 0 : group.last * Math.max(0, count - (comma && !most ? 0 : 1));
      group.last += more;
      group.total += more;
    } else {
      add(text.startsWith('\\Q') ? text.length : 1);
    }
  }
  return open.reduce((sum, outer) => sum + outer.total, group.total);
}
