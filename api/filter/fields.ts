/** What may stand at a place of a row; filters are checked against it before any row is seen. */
export type Field =
  | { readonly kind: 'string' | 'int' | 'float' | 'bool' }
  | { readonly kind: 'list'; readonly of: Field }
  | { readonly kind: 'map'; readonly of: Field }
  | { readonly kind: 'struct'; readonly fields: Readonly<Record<string, Field>> };

export const STRING: Field = { kind: 'string' };
export const INT: Field = { kind: 'int' };
export const BOOL: Field = { kind: 'bool' };
export const list = (of: Field): Field => ({ kind: 'list', of });
export const map = (of: Field): Field => ({ kind: 'map', of });
export const struct = (fields: Readonly<Record<string, Field>>): Field => ({ kind: 'struct', fields });
