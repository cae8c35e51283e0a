import type { Exchange } from '../../support/described-answers.ts';

/** What one scenario knows: its agent's addresses, variables, and the placeholders that have been bound. */
export interface Context {
  readonly http: { readonly host: string; readonly port: number };
  readonly dnsPort: number;
  readonly variables: Map<string, string>;
  /** `uuid:1` and its like, bound where they were first seen. */
  bound: Map<string, string>;
  /** Every request over HTTP that was answered. */
  readonly exchanges: Exchange[];
}

/** Puts the variables into a text, or into every text of a JSON value; unknown ones stay as they are. */
export function fill<T>(context: Context, value: T): T {
  if (typeof value === 'string') {
    return value.replace(/\$\{([\w.]+)\}/g, (whole, name: string) => context.variables.get(name) ?? whole) as T;
  }
  if (Array.isArray(value)) return value.map((item) => fill(context, item)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [fill(context, key), fill(context, item)])) as T;
}
