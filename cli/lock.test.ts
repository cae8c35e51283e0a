import { FakeApi, type SeenRequest } from '../test/support/command-run.ts';
import { lockCommand } from './lock.ts';

/** Servers whose lock is free; `onTake` is told of the request that takes it. */
function freeLock(onTake: () => void = () => {}) {
  let holder = '';
  return FakeApi.start({
    'PUT /v1/session/create': { body: { ID: 's' } },
    'PUT /v1/session/renew/s': { body: [] },
    'PUT /v1/session/destroy/s': { body: true },
    'GET /v1/kv/p/.lock': ({ url }) =>
      holder === '' || url.includes('index=')
        ? { status: 404, headers: { 'X-Consul-Index': '1' } }
        : { headers: { 'X-Consul-Index': '2' }, body: `[{"Key":"p/.lock","Flags":3304740253564472344,"Session":"s"}]` },
    'PUT /v1/kv/p/.lock': ({ url }: SeenRequest) => {
      if (url.includes('acquire=')) onTake();
      holder = url.includes('acquire=') ? 's' : '';
      return { body: true };
    },
  });
}

describe('lictor lock', () => {
  it.each(['interrupt', 'hangup'])('starts no command after an %s while it was being taken', async (what) => {
    const stop = new AbortController();
    let hangUp = () => {};
    const api = await freeLock(() => (what === 'interrupt' ? stop.abort() : hangUp()));
    const onHangup = (listener: () => void) => {
      hangUp = listener;
      return () => {};
    };
    const result = await api.run(lockCommand, ['p', 'echo started'], { signal: stop.signal, onHangup });
    expect(result).toEqual({
      code: 1,
      stdout: '',
      stderr: 'Shutdown triggered or timeout during lock acquisition\n',
    });
    const release = api.seen.findIndex(({ url }) => url.includes('release=s'));
    const destroy = api.seen.findIndex(({ url }) => url === '/v1/session/destroy/s');
    expect([release > 0, destroy > release]).toEqual([true, true]);
    await api.stop();
  });

  it('refuses a prefix that servers would take for another one', async () => {
    const api = await freeLock();
    await expect(api.run(lockCommand, ['a/../b', 'true'])).rejects.toThrow('the key "a/../b" has a part ".."');
    expect(api.seen).toEqual([]);
    await api.stop();
  });
});
