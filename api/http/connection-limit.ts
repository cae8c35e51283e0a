import type { Server, Socket } from 'node:net';

/** Consul's text for http_max_conns_per_client. */
const TOO_MANY_BODY = 'Your IP is issuing too many concurrent connections, please rate limit your calls\n';
const TOO_MANY = [
  'HTTP/1.1 429 Too Many Requests',
  'Content-Type: text/plain',
  `Content-Length: ${Buffer.byteLength(TOO_MANY_BODY)}`,
  'Connection: close',
  '',
  TOO_MANY_BODY,
].join('\r\n');

/**
 * Refuses connections of one client address beyond `max` (asked for each connection) with status 429. Gives a function that tells how many
 * connections are open.
 */
export function limitConnections(server: Server, max: () => number): () => number {
  const open = new Map<string, number>();
  let total = 0;
  server.prependListener('connection', (socket: Socket) => {
    const client = socket.remoteAddress ?? '';
    const count = (open.get(client) ?? 0) + 1;
    open.set(client, count);
    total++;
    socket.once('close', () => {
      total--;
      const left = (open.get(client) ?? 1) - 1;
      if (left > 0) open.set(client, left);
      else open.delete(client);
    });
    // The HTTP parser is attached to the socket all the same; what arrives after the end goes nowhere.
    if (count > max()) socket.end(TOO_MANY, () => socket.destroySoon());
  });
  return () => total;
}
