import type { Socket } from 'node:dgram';

/**
 * Connects a UDP socket, so that it takes packets from this address alone and hears of a port that is closed, and sends a packet.
 * What cannot be sent, as where there is no route, goes to `fail`, unless the socket is closed by then; `sent` is called when the
 * system has taken the packet.
 */
export function sendConnected(
  socket: Socket,
  to: { readonly address: string; readonly port: number },
  packet: Uint8Array,
  fail: (error: Error) => void,
  sent: () => void = () => {},
): void {
  let closed = false;
  socket.once('close', () => {
    closed = true;
  });
  // A socket that `connect` could not bind cannot be closed any more: it would wait for the end of that for ever.
  socket.bind(0, () => {
    // Called with an error, too, on which the socket is not connected (Node.js, dgram).
    socket.connect(to.port, to.address, (error?: Error | null) => {
      if (closed) return;
      if (error) return fail(error);
      socket.send(packet, (unsent) => {
        if (!unsent) sent();
        else if (!closed) fail(unsent);
      });
    });
  });
}
