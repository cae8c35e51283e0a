import { createServer, type Server } from 'node:net';
import { SystemClock } from '../../core/clock.ts';
import { freePort } from '../../test/support/processes/free-port.ts';
import { runInstance } from './instance.ts';
import { DemoInstances } from './instances.ts';

const host = '127.0.0.1';

describe('an instance whose port is taken', () => {
  const stop = new AbortController();
  let other: Server | undefined;
  afterAll(() => {
    stop.abort();
    other?.close();
  });

  it('names the process of another demo that has it', async () => {
    const port = await freePort();
    let first: Promise<void> = Promise.resolve();
    await new Promise<void>((onListening) => {
      first = runInstance({ name: 'web-1', pid: 4242, host, port, onListening }, stop.signal);
    });
    await expect(runInstance({ name: 'web-2', pid: 1, host, port }, stop.signal)).rejects.toMatchObject({
      code: 'addressInUse',
      message: `port ${port} is taken by web-1 of another demo (process 4242): end that demo with Ctrl-C, or this process with 'kill 4242'`,
    });
    stop.abort();
    await first;
  });

  it('says how to find another program that has it', async () => {
    const port = await freePort();
    other = createServer((socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'));
    await new Promise<void>((ready) => other!.listen(port, host, ready));
    await expect(runInstance({ name: 'web-2', pid: 1, host, port }, new AbortController().signal)).rejects.toThrow(
      `port ${port} is taken by another program: find it with 'lsof -i :${port}' and stop it (web-2 needs it)`,
    );
  });
});

describe('the instances of a demo', () => {
  it('tell what one said that did not start, without the name of the command that it said it under', async () => {
    const command = ['sh', '-c', 'echo "consul demo: port 1 is taken" >&2; exit 1', 'sh'];
    const instances = new DemoInstances({ clock: new SystemClock() }, { ports: [1], command });
    await expect(instances.startAll()).rejects.toThrow(/^web-1 did not start: port 1 is taken$/);
  });
});
