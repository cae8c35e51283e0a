import { AppError } from '../../../core/errors.ts';
import type { ConfigEntry } from './entry.ts';
import type { Fields } from './field-type.ts';

/** One kind of configuration entry: what is in it, and the rules that it obeys on its own. */
export interface KindSpec<T extends ConfigEntry = ConfigEntry> {
  readonly fields: Fields;
  /** There is one entry, of this name. */
  readonly only?: string;
  /** The entry does not show its name. */
  readonly nameless?: boolean;
  /** Brings what was decoded into the form that is checked, stored and shown. */
  normalize?(entry: T): T;
  /** @throws AppError `badRequest` naming the field and what would be right. */
  check?(entry: T): void;
}

/** A kind's description, with the type of its own entries forgotten. */
export function kindSpec<T extends ConfigEntry>(spec: KindSpec<T>): KindSpec {
  return spec as unknown as KindSpec;
}

/** @throws AppError `badRequest` with this text, if there is one to give. */
export function refuse(text: string): never {
  throw new AppError('badRequest', text);
}

/** As Consul gives errors that it collects. @throws AppError `badRequest` if there are any. */
export function refuseAll(texts: readonly string[]): void {
  if (texts.length > 0) refuse(collected(texts));
}

export function collected(texts: readonly string[]): string {
  const count = texts.length === 1 ? '1 error' : `${texts.length} errors`;
  return `${count} occurred:${texts.map((text) => `\n\t* ${text}`).join('')}`;
}

/** `"a", "b" or "c"`. */
export function oneOf(values: readonly string[]): string {
  const quoted = values.map((value) => JSON.stringify(value));
  return quoted.length < 2 ? quoted.join('') : `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`;
}
