import { AppError } from '../../core/errors.ts';

/** The longest name or id in bytes: the catalog takes some 1,400 with node and namespace, and ids are derived from ids. */
export const MAX_NAME_BYTES = 1024;

/** What takes three bytes in the catalog's keys. */
const ESCAPED = /[%/\p{Cc}\u{10FFFF}]/gu;

/** Refuses a name or id that the catalog could never take. @throws AppError `badRequest` naming field and limit. */
export function checkNameLength(name: string, field: string): void {
  if (name.length * 3 <= MAX_NAME_BYTES) return;
  const bytes = Buffer.byteLength(name.toLowerCase().replace(ESCAPED, 'xxx'));
  if (bytes <= MAX_NAME_BYTES) return;
  throw new AppError(
    'badRequest',
    `Invalid ${field}: it has ${bytes} bytes, of which ${MAX_NAME_BYTES} are possible; "/", "%" and control characters count as three`,
    { facts: { field, limit: MAX_NAME_BYTES, bytes } },
  );
}
