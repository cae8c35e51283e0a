/**
 * What a field of a configuration entry holds, how its value is read from a body, and how it is shown: `omitted` zero
 * values do not appear, as in Consul's JSON.
 */
export type FieldType =
  /** Zero values (empty text, 0, false) are omitted. */
  | { readonly kind: 'string' | 'int' | 'float' | 'bool' }
  /** A Go duration, shown in Go's spelling, or as nanoseconds; zero is omitted. */
  | { readonly kind: 'duration' | 'nanoseconds' }
  /** 0, or false, is a value of its own when it is given. */
  | { readonly kind: 'optionalInt' | 'optionalBool' }
  /** Always shown. */
  | { readonly kind: 'shownBool' | 'shownInt' }
  /** An object of any values, kept as it is; or any value. */
  | { readonly kind: 'object' | 'any' }
  /** There is one namespace and one partition for entries: `default`, which is not shown. */
  | { readonly kind: 'tenancy' }
  /** Accepted and left out: what answers contain and clients send back. */
  | { readonly kind: 'ignored' }
  | { readonly kind: 'list' | 'map'; readonly of: FieldType }
  | {
      readonly kind: 'struct';
      readonly fields: ReadonlyMap<string, NamedField>;
      /** `value`: shown as {} when nothing is in it; `pointer`: shown when it was given. */
      readonly as: 'value' | 'pointer';
    };

export interface NamedField {
  readonly name: string;
  readonly type: FieldType;
}

export type Fields = Readonly<Record<string, FieldType>>;

export const STRING: FieldType = { kind: 'string' };
export const INT: FieldType = { kind: 'int' };
export const FLOAT: FieldType = { kind: 'float' };
export const BOOL: FieldType = { kind: 'bool' };
export const SHOWN_BOOL: FieldType = { kind: 'shownBool' };
export const SHOWN_INT: FieldType = { kind: 'shownInt' };
export const OPTIONAL_INT: FieldType = { kind: 'optionalInt' };
export const OPTIONAL_BOOL: FieldType = { kind: 'optionalBool' };
export const DURATION: FieldType = { kind: 'duration' };
export const NANOSECONDS: FieldType = { kind: 'nanoseconds' };
export const OBJECT: FieldType = { kind: 'object' };
export const ANY: FieldType = { kind: 'any' };
export const TENANCY: FieldType = { kind: 'tenancy' };
export const IGNORED: FieldType = { kind: 'ignored' };
export const STRINGS: FieldType = listOf(STRING);
export const STRING_MAP: FieldType = mapOf(STRING);

export function listOf(of: FieldType): FieldType {
  return { kind: 'list', of };
}

export function mapOf(of: FieldType): FieldType {
  return { kind: 'map', of };
}

/** An object that is always there. */
export function value(fields: Fields): FieldType {
  return { kind: 'struct', as: 'value', fields: byFoldedName(fields) };
}

/** An object that may be missing. */
export function pointer(fields: Fields): FieldType {
  return { kind: 'struct', as: 'pointer', fields: byFoldedName(fields) };
}

/** Names match without regard to case and underscores. */
export function foldName(name: string): string {
  return name.toLowerCase().replaceAll('_', '');
}

function byFoldedName(fields: Fields): ReadonlyMap<string, NamedField> {
  return new Map(Object.entries(fields).map(([name, type]) => [foldName(name), { name, type }]));
}
