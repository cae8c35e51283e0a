import { AppError } from '../../core/errors.ts';

const NEWLINE = 0x0a;

/**
 * The lines of a byte stream, decoded as UTF-8, without their newline; empty lines are left out. Chunks may split lines
 * and characters anywhere.
 * @throws AppError `tooLarge` for a line longer than `maxLineBytes`, `unavailable` when the stream ends within a line.
 */
export async function* lines(
  chunks: AsyncIterable<Uint8Array>,
  options: { readonly maxLineBytes: number; readonly what: string },
): AsyncGenerator<string> {
  let parts: Uint8Array[] = [];
  let held = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      parts.push(chunk.subarray(from, at));
      held += at - from;
      refuseLong(held, options);
      if (held > 0) yield decode(parts);
      parts = [];
      held = 0;
      from = at + 1;
    }
    if (from < chunk.length) {
      parts.push(chunk.subarray(from));
      held += chunk.length - from;
      refuseLong(held, options);
    }
  }
  if (held > 0) throw new AppError('unavailable', `${options.what} ended within a line`);
}

/** Parses one line. @throws AppError `decode` naming the stream (never the content). */
export function parseLine<T>(line: string, what: string): T {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null) return value as T;
  } catch {
    // Reported below in the same words: the content may hold secrets, so the parser's text is not passed on.
  }
  throw new AppError('decode', `${what} sent a line that is no JSON object`, { facts: { bytes: line.length } });
}

function refuseLong(length: number, options: { readonly maxLineBytes: number; readonly what: string }): void {
  if (length <= options.maxLineBytes) return;
  throw new AppError('tooLarge', `${options.what} sent a line of more than ${options.maxLineBytes} bytes`);
}

function decode(parts: readonly Uint8Array[]): string {
  const only = parts.length === 1 ? parts[0] : undefined;
  const bytes = only ? Buffer.from(only.buffer, only.byteOffset, only.byteLength) : Buffer.concat(parts);
  return bytes.toString('utf8');
}
