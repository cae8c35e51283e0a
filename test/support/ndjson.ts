import type { Readable } from 'node:stream';

/** The lines of a stream of JSON. */
export async function* jsonLines<T>(stream: Readable): AsyncGenerator<T, void, void> {
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop()!;
    for (const line of lines) yield JSON.parse(line) as T;
  }
}
