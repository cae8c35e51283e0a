import { FakeApi } from '../test/support/command-run.ts';
import { resolveCommand } from './resolve.ts';

const explanation = { Service: 'web', Namespace: 'default', Instances: [], OtherNamespaces: [], Nearest: [] };

describe('lictor resolve of a service without instances', () => {
  let api: FakeApi;
  beforeAll(async () => {
    const none = { body: [] };
    api = await FakeApi.start({
      'GET /v1/health/service/declared': none,
      'GET /v1/explain/service/declared': { body: { ...explanation, Service: 'declared', Reason: 'no ready Pod' } },
      'GET /v1/health/service/wep': none,
      'GET /v1/explain/service/wep': { body: { ...explanation, Service: 'wep', Nearest: ['web'] } },
      'GET /v1/health/service/web': none,
      'GET /v1/explain/service/web': { body: { ...explanation, Instances: [{}, {}] } },
      'GET /v1/health/service/consuls': none,
    });
  });
  afterAll(() => api.stop());

  it.each([
    ['says why, where the server knows it', 'declared', 'no instance of declared in namespace default: no ready Pod\n'],
    ['names what may have been meant', 'wep', 'no instance of wep in namespace default\nnames that are near: web\n'],
    [
      'counts those that the flags leave out',
      'web',
      "no instance of web fits the flags, of 2; 'lictor explain web' says why\n",
    ],
    [
      'does without an explanation',
      'consuls',
      "no instance of consuls; 'lictor catalog services' lists what is registered\n",
    ],
  ])('%s, and ends with 2', async (_, service, stderr) => {
    expect(await api.run(resolveCommand, [service, '-passing'])).toEqual({ code: 2, stdout: '', stderr });
  });

  it('prints an empty list with -format json, and ends with 2 as well', async () => {
    expect(await api.run(resolveCommand, ['wep', '-format=json'])).toEqual({ code: 2, stdout: '[]\n', stderr: '' });
  });

  it('tells its exit codes in its help', async () => {
    expect((await api.run(resolveCommand, ['--help'])).stdout.replace(/\s+/g, ' ')).toContain(
      'Exit code 0 when the service has such an instance, 2 when it has none, 1 when that cannot be told.',
    );
  });
});
