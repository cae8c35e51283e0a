import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

/** Below Linux's range for outgoing connections (32768-60999), so that no client socket takes a port in between. */
const FIRST = 15_000;
const LAST = 32_000;

function tcpIsFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

function udpIsFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => {
      socket.close();
      resolve(false);
    });
    socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(true)));
  });
}

const given = new Set<number>();

/**
 * A port of 127.0.0.1 that nothing listens on, over TCP or UDP, for programs that must be told one. Nothing keeps
 * another process from taking it before it is used: whoever starts a program with it retries on "address in use".
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 1000; tries++) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (given.has(port)) continue;
    if ((await tcpIsFree(port)) && (await udpIsFree(port))) {
      given.add(port);
      return port;
    }
  }
  throw new Error(`no free port between ${FIRST} and ${LAST}`);
}
