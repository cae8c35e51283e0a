import type { Server, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

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

/** Refused TLS clients of one address that may finish their handshake to read why; further ones are cut at once. */
const MAX_REFUSED_HANDSHAKES = 8;

/** The connections of a listener. */
export interface Connections {
  /** How many are open. */
  count(): number;
  /** Whether a connection is over the limit, or was refused: what it still sends must not be served. */
  isRefused(socket: Socket): boolean;
  /** Serves nothing more of a connection. */
  refuse(socket: Socket): void;
  /** Ends those that have not finished their TLS handshake. */
  closeUnfinished(): void;
}

/**
 * Refuses connections of one client address beyond `max` (asked for each connection) with status 429. With TLS the
 * answer follows the handshake, else the client could not read it.
 */
export function limitConnections(server: Server, max: () => number, options: { tls?: boolean } = {}): Connections {
  const open = new Map<string, number>();
  const refused = new Set<Socket>();
  /** In their TLS handshake, by address and port. */
  const unfinished = new Map<string, Socket>();
  /** Over the limit, by address and port, until their handshake is done. */
  const refusedPeers = new Set<string>();
  let total = 0;
  const serveNoMore = (socket: Socket) => {
    refused.add(socket);
    socket.once('close', () => refused.delete(socket));
  };
  const refuse = (socket: Socket) => {
    serveNoMore(socket);
    // The HTTP parser is attached to the socket all the same; `isRefused` keeps what it reads from being served.
    socket.end(TOO_MANY, () => socket.destroySoon());
  };
  server.prependListener('connection', (socket: Socket) => {
    const client = socket.remoteAddress ?? '';
    const peer = `${client} ${socket.remotePort}`;
    const count = (open.get(client) ?? 0) + 1;
    open.set(client, count);
    total++;
    if (options.tls && socket.remotePort !== undefined) unfinished.set(peer, socket);
    socket.once('close', () => {
      total--;
      unfinished.delete(peer);
      refusedPeers.delete(peer);
      const left = (open.get(client) ?? 1) - 1;
      if (left > 0) open.set(client, left);
      else open.delete(client);
    });
    const over = count - max();
    if (over <= 0) return;
    if (!options.tls) refuse(socket);
    else if (over > MAX_REFUSED_HANDSHAKES) socket.destroy();
    else refusedPeers.add(peer);
  });
  server.prependListener('secureConnection', (socket: TLSSocket) => {
    const peer = `${socket.remoteAddress ?? ''} ${socket.remotePort}`;
    unfinished.delete(peer);
    if (refusedPeers.delete(peer)) refuse(socket);
  });
  return {
    count: () => total,
    isRefused: (socket) => refused.size > 0 && refused.has(socket),
    refuse: serveNoMore,
    closeUnfinished: () => {
      for (const socket of unfinished.values()) socket.destroy();
    },
  };
}
