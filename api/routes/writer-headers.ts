import { AppError } from '../../core/errors.ts';
import type { RouteRequest } from '../http/route.ts';
import { OWNER_HEADERS, type WriterIdentity } from '../shapes/registration.ts';

/** Who writes, by the X-Lictor-* headers; none of them means the API. @throws AppError `badRequest` naming the header. */
export function writerOf(headers: RouteRequest['headers']): WriterIdentity {
  const owner = headerOf(headers, OWNER_HEADERS.owner) ?? '';
  const epochText = headerOf(headers, OWNER_HEADERS.epoch) ?? '0';
  const epoch = Number(epochText);
  if (!/^\d+$/.test(epochText) || !Number.isSafeInteger(epoch)) {
    throw new AppError('badRequest', `${OWNER_HEADERS.epoch} must be a whole number, not ${JSON.stringify(epochText)}`);
  }
  const ref = headerOf(headers, OWNER_HEADERS.ref);
  if (owner === '') {
    // Taken for the API, it would write and remove what the object does not own.
    if (ref) throw new AppError('badRequest', `${OWNER_HEADERS.ref} needs ${OWNER_HEADERS.owner}: whose object it is`);
    return { owner, epoch: 0 };
  }
  return { owner, epoch, ref, hash: headerOf(headers, OWNER_HEADERS.hash) };
}

/** The same as headers; none for the API. */
export function writerHeaders(writer: WriterIdentity): Record<string, string> {
  if (writer.owner === '') return {};
  return {
    [OWNER_HEADERS.owner]: writer.owner,
    [OWNER_HEADERS.epoch]: String(writer.epoch),
    ...(writer.ref === undefined ? {} : { [OWNER_HEADERS.ref]: writer.ref }),
    ...(writer.hash === undefined ? {} : { [OWNER_HEADERS.hash]: writer.hash }),
  };
}

function headerOf(headers: RouteRequest['headers'], name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}
