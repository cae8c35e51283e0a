import { request } from 'undici';
import { started } from '../../test/support/started.ts';
import { ProbeServer } from './probe-server.ts';

async function answersOf(
  deps: ConstructorParameters<typeof ProbeServer>[0],
  paths: readonly string[],
): Promise<[status: number, text: string][]> {
  const server = new ProbeServer(deps, { host: '127.0.0.1', port: 0 });
  const stop = await started(server);
  const answers: [number, string][] = [];
  for (const path of paths) {
    const { statusCode, body } = await request(`http://127.0.0.1:${server.port}${path}`);
    answers.push([statusCode, await body.text()]);
  }
  await stop();
  return answers;
}

describe('the operator’s probes', () => {
  it('answer what is asked of them', async () => {
    const metrics = { text: async () => 'm 1\n' };
    const paths = ['/healthz', '/readyz', '/metrics?x=1', '/else'];
    expect(await answersOf({ metrics, notReady: () => undefined }, paths)).toEqual([
      [200, 'ok\n'],
      [200, 'ok\n'],
      [200, 'm 1\n'],
      [404, 'use /healthz, /readyz or /metrics\n'],
    ]);
    expect(await answersOf({ metrics, notReady: () => 'the lists are not there' }, ['/readyz'])).toEqual([
      [503, 'the lists are not there\n'],
    ]);
  });

  it('say what an answer fails of, and go on', async () => {
    const fail = (): never => {
      throw new Error('no such gauge');
    };
    const deps = { metrics: { text: async () => fail() }, notReady: fail };
    const failed = [500, 'the answer could not be made: no such gauge\n'];
    expect(await answersOf(deps, ['/metrics', '/readyz', '/healthz'])).toEqual([failed, failed, [200, 'ok\n']]);
  });
});
