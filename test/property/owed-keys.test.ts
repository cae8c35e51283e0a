import { EVERYTHING } from '../../store/contract/shorthand.ts';
import { LmdbServer } from '../support/lmdb-server.ts';
import type { RunningServer } from '../support/running-server.ts';

/** More than go with the session in one transaction: its end is a mark, and they are released afterwards. */
const KEYS = 200;

/** A key whose session has ended is shown as deleted before the store has it so. */
describe('keys of a session that has just ended', () => {
  let lmdb: LmdbServer;
  let server: RunningServer;

  beforeEach(async () => {
    lmdb = await LmdbServer.start();
    ({ server } = lmdb);
  });
  afterEach(() => lmdb.remove());

  it('keep their lock-delay, whoever writes to them in between', async () => {
    const put = (url: string, body: Buffer | object = {}) => server.call('PUT', url, { body });
    await server.register({ Node: 'server-1', Address: '10.0.0.1' });
    const session = { Node: 'server-1', Behavior: 'delete', LockDelay: '15s', Checks: [], NodeChecks: [] };
    const { ID: id } = (await put('/v1/session/create', session)).json as { ID: string };
    for (let n = 0; n < KEYS; n++) await put(`/v1/kv/k${n}?acquire=${id}`, Buffer.from('old'));
    // Reopened, LMDB itself has the keys.
    server = await lmdb.restart();
    // The transaction holds the lock of the key when the session ends; the write after it waits, and is planned again.
    const reader = put('/v1/txn', [
      { KV: { Verb: 'get', Key: 'k0' } },
      { KV: { Verb: 'set', Key: 'z', Value: 'eA==' } },
    ]);
    const destroyed = put(`/v1/session/destroy/${id}`);
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    await Promise.allSettled([reader, destroyed, put('/v1/kv/k0?cas=0', Buffer.from('new'))]);
    const delays = async () =>
      (await lmdb.store.read(EVERYTHING)).entries.filter(({ key }) => key.includes('lock-delay'));
    for (let look = 0; look < 100 && (await delays()).length < KEYS; look++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(await delays()).toHaveLength(KEYS);
  });
});
