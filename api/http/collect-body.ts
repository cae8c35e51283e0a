import type { IncomingMessage } from 'node:http';

/** Collects a body. `done` gets all of it, or undefined once it has more than `limit` bytes; nothing when the client goes. */
export function collectBody(request: IncomingMessage, limit: number, done: (body: Buffer | undefined) => void): void {
  if (Number(request.headers['content-length']) > limit) {
    done(undefined);
    return;
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  const onData = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= limit) {
      chunks.push(chunk);
      return;
    }
    request.off('data', onData);
    request.off('end', onEnd);
    done(undefined);
  };
  const onEnd = () => done(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
  request.on('data', onData);
  request.on('end', onEnd);
  // A client that goes in the middle: there is nobody to answer.
  request.on('error', () => {});
}
