import { createSocket } from 'node:dgram';
import { createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';

/** Something on a port of 127.0.0.1 that checks go to; `stop` closes the port. */
export interface ProbedServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** An HTTP/2 server in the clear that answers grpc.health.v1: SERVING for `service`, NOT_FOUND for others. */
export async function startGrpcServer(service: string): Promise<ProbedServer> {
  const server = createServer();
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => sessions.add(session));
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('end', () => {
      // A message of one text field: five bytes of frame, tag and length (grpc health checking protocol).
      const asked = Buffer.concat(parts).subarray(7).toString();
      const found = headers[':path'] === '/grpc.health.v1.Health/Check' && asked === service;
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': found ? '0' : '5' }));
      stream.end(found ? Buffer.from([0, 0, 0, 0, 2, 8, 1]) : undefined);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stop: () =>
      new Promise((resolve) => {
        for (const session of sessions) session.destroy();
        server.close(() => resolve());
      }),
  };
}

/** A UDP port that takes everything and says nothing. */
export async function startSilentUdp(): Promise<ProbedServer> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return { port: socket.address().port, stop: () => new Promise((resolve) => socket.close(() => resolve())) };
}
