import { type DecodedPacket, decode } from 'dns-packet';
import { AppError, errorText } from '../../core/errors.ts';

/**
 * Decodes a whole message (a response, say) with dns-packet: the reading side of a client. The server itself reads
 * queries with `decodeQuery`, which names what is wrong and never follows a pointer.
 * @throws AppError `decode`.
 */
export function decodeMessage(bytes: Uint8Array): DecodedPacket {
  try {
    return decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (error) {
    throw new AppError('decode', `DNS message: ${errorText(error)}`, { facts: { field: 'message' }, cause: error });
  }
}
