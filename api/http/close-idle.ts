import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Has a server that closes send what its idle connections are still owed before it ends them. Node takes a connection for
 * idle as soon as its answers are written, though a client that reads slowly has not got them, and would cut them off.
 */
export function sendBeforeClosing(server: Server, options: { tls: boolean }): void {
  const open = new Set<Socket>();
  const closed = function (this: Socket): void {
    open.delete(this);
  };
  server.on(options.tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', closed);
  });
  const closeIdle = server.closeIdleConnections.bind(server);
  server.closeIdleConnections = () => {
    // Which of them are idle, Node alone knows.
    const owed = [...open].filter((socket) => socket.writableLength > 0);
    for (const socket of owed) {
      socket.destroy = () => {
        letDestroy(socket);
        socket.destroySoon();
        return socket;
      };
    }
    closeIdle();
    for (const socket of owed) letDestroy(socket);
  };
}

function letDestroy(socket: Partial<Socket>): void {
  delete socket.destroy;
}
