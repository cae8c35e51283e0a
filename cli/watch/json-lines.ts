import type { Readable } from 'node:stream';
import { AppError } from '../../core/errors.ts';

/** An instance with a thousand checks is far below. */
const MAX_LINE_CHARACTERS = 16 * 1024 * 1024;

/**
 * The values of a stream with one JSON value a line; what follows the last newline is nothing.
 * @throws AppError `unavailable` for a line that is no JSON or too long, and what the stream fails with.
 */
export async function* jsonLines<T>(
  body: Readable,
  maxCharacters = MAX_LINE_CHARACTERS,
): AsyncGenerator<T, void, void> {
  let rest = '';
  body.setEncoding('utf8');
  for await (const chunk of body as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    for (const line of lines) if (line !== '') yield parse<T>(line);
    if (rest.length > maxCharacters) {
      throw new AppError('unavailable', `a line of the stream is longer than ${maxCharacters} characters`);
    }
  }
}

function parse<T>(line: string): T {
  try {
    return JSON.parse(line) as T;
  } catch (cause) {
    throw new AppError('unavailable', `a line of the stream is no JSON: ${JSON.stringify(line.slice(0, 80))}`, {
      cause,
    });
  }
}
