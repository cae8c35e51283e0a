import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** A connection that has left HTTP. */
export interface UpgradedConnection {
  readonly socket: Socket;
  /** What came after the request already. */
  readonly head: Buffer;
  /** Aborts when the listener stops; the connection must then come to its end by itself, within `drainMs`. */
  readonly stopping: AbortSignal;
  readonly drainMs: number;
}

/** Another protocol that a listener speaks on connections that ask for it (RFC 9110 section 7.8). */
export interface Upgrade {
  /** Of the GET request that asks for it. */
  readonly path: string;
  /** The name in the Upgrade header. */
  readonly protocol: string;
  accept(connection: UpgradedConnection): void;
}

/** The one that a request asks for. */
export function upgradeOf(request: IncomingMessage, upgrades: readonly Upgrade[]): Upgrade | undefined {
  const protocol = request.headers.upgrade?.toLowerCase();
  return request.method === 'GET'
    ? upgrades.find((one) => one.protocol === protocol && one.path === request.url)
    : undefined;
}

/** Hands connections to whom they ask for. */
export function serveUpgrades(
  server: Server,
  upgrades: readonly Upgrade[],
  context: {
    readonly stopping: AbortSignal;
    readonly drainMs: number;
    readonly isRefused: (socket: Socket) => boolean;
  },
): void {
  if (upgrades.length === 0) return;
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    const socket = stream as Socket;
    const upgrade = upgradeOf(request, upgrades);
    socket.on('error', () => {});
    if (context.isRefused(socket)) return;
    if (!upgrade || context.stopping.aborted) {
      socket.end(`HTTP/1.1 ${upgrade ? 503 : 400} \r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    socket.setNoDelay(true);
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: ${upgrade.protocol}\r\n\r\n`);
    const { stopping, drainMs } = context;
    upgrade.accept({ socket, head, stopping, drainMs });
  });
}
