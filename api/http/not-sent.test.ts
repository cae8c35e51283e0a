import { connect, createServer, type LookupFunction } from 'node:net';
import { freePort } from '../../test/support/processes/free-port.ts';
import { wasNotSent } from './not-sent.ts';

const error = (fields: object) => Object.assign(new Error('x'), fields);

describe('a request whose sending failed', () => {
  it('was not sent when there was no connection', async () => {
    const port = await freePort();
    const refused = await new Promise((resolve) => connect(port, '127.0.0.1').once('error', resolve));
    expect(wasNotSent(refused)).toBe(true);
    expect(wasNotSent(error({ code: 'EHOSTUNREACH', syscall: 'connect' }))).toBe(true);
    expect(wasNotSent(error({ code: 'UND_ERR_CONNECT_TIMEOUT' }))).toBe(true);
  });

  it('was not sent when no address of a name could be connected to', async () => {
    const port = await freePort();
    const lookup: LookupFunction = (_host, _options, done) =>
      done(null, [
        { address: '127.0.0.1', family: 4 },
        { address: '127.0.0.2', family: 4 },
      ]);
    const refused = await new Promise((resolve) => connect({ host: 'two.test', port, lookup }).once('error', resolve));
    expect((refused as AggregateError).errors).toHaveLength(2);
    expect(wasNotSent(refused)).toBe(true);
    const half = new AggregateError([...(refused as AggregateError).errors, error({ code: 'ECONNRESET' })]);
    expect(wasNotSent(half)).toBe(false);
    expect(wasNotSent(new AggregateError([]))).toBe(false);
  });

  it('may have been sent when a connection that was there has ended', async () => {
    const server = createServer((socket) => socket.once('data', () => socket.resetAndDestroy()));
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', () => ready()));
    const { port } = server.address() as { port: number };
    const socket = connect(port, '127.0.0.1', () => socket.write('x'));
    const reset = await new Promise((resolve) => socket.once('error', resolve));
    expect(wasNotSent(reset)).toBe(false);
    for (const syscall of ['read', 'write']) expect(wasNotSent(error({ code: 'EHOSTUNREACH', syscall }))).toBe(false);
    expect(wasNotSent(undefined)).toBe(false);
    server.close();
  });
});
