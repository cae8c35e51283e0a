import { AppError } from './errors.ts';

/**
 * The text of an answer's body.
 * @throws AppError `tooLarge` past `maxBytes`, `unavailable` in the words of `brokeOff` when it ends too early.
 */
export async function readBounded(
  body: AsyncIterable<Uint8Array>,
  limit: { readonly maxBytes: number; readonly what: string },
  brokeOff: (error: unknown) => string,
): Promise<string> {
  const { maxBytes, what } = limit;
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const part of body) {
      size += part.length;
      if (size > maxBytes) throw new AppError('tooLarge', `${what} answered with more than ${maxBytes} bytes`);
      parts.push(part);
    }
  } catch (error) {
    throw error instanceof AppError ? error : new AppError('unavailable', `${what} ${brokeOff(error)}`);
  }
  return Buffer.concat(parts).toString('utf8');
}
