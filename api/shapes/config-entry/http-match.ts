import type { HttpMatch, HttpMatcher } from './entry.ts';
import { refuse } from './kind-spec.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'];

/** How texts begin for routes and for intentions, which name the same things differently. */
interface Words {
  /** Before the name of a field: `Route[0] ` or `Sources[0].Permissions[0].HTTP.`. */
  readonly field: string;
  /** For what concerns several fields. */
  readonly whole: string;
}

/** @throws AppError `badRequest` when the paths, fields or methods of a match are not in order. */
export function checkHttpMatch(match: HttpMatch, words: Words): void {
  const paths = [match.PathExact, match.PathPrefix, match.PathRegex].filter((path) => path !== undefined);
  if (paths.length > 1) refuse(`${words.whole} should only contain at most one of PathExact, PathPrefix, or PathRegex`);
  for (const field of ['PathExact', 'PathPrefix'] as const) {
    const path = match[field];
    if (path !== undefined && !path.startsWith('/')) {
      refuse(`${words.field}${field} doesn't start with '/': ${JSON.stringify(path)}`);
    }
  }
  for (const [at, matcher] of (match.Header ?? []).entries()) checkMatcher(matcher, `${words.field}Header[${at}]`);
  for (const [at, matcher] of (match.QueryParam ?? []).entries())
    checkMatcher(matcher, `${words.field}QueryParam[${at}]`);
  const seen = new Set<string>();
  for (const method of match.Methods ?? []) {
    if (!METHODS.includes(method)) refuse(`${words.field}Methods contains an invalid method ${JSON.stringify(method)}`);
    if (seen.has(method)) refuse(`${words.field}Methods contains ${JSON.stringify(method)} more than once`);
    seen.add(method);
  }
}

export function upperMethods(match: HttpMatch): HttpMatch {
  return match.Methods ? { ...match, Methods: match.Methods.map((method) => method.toUpperCase()) } : match;
}

function checkMatcher(matcher: HttpMatcher, where: string): void {
  if (!matcher.Name) refuse(`${where} missing required Name field`);
  const ways = [matcher.Present, matcher.Exact, matcher.Prefix, matcher.Suffix, matcher.Contains, matcher.Regex].filter(
    (way) => way !== undefined,
  );
  if (ways.length === 0) {
    refuse(`${where} should contain one of Present, Exact, Prefix, Suffix, Contains, or Regex`);
  }
  if (ways.length > 1) {
    refuse(`${where} should only contain one of Present, Exact, Prefix, Suffix, Contains, or Regex`);
  }
  if (matcher.IgnoreCase && (matcher.Present || matcher.Regex !== undefined)) {
    refuse(`${where} should set one of Exact, Prefix, Suffix, or Contains when using IgnoreCase`);
  }
}
