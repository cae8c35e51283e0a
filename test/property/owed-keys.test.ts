import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { SystemRandom } from '../../core/random.ts';
import { EVERYTHING } from '../../store/contract/shorthand.ts';
import { openLmdbStore } from '../../store/lmdb/open-lmdb-store.ts';
import type { Store } from '../../store/store.ts';
import { RunningServer } from '../support/running-server.ts';

/** More than go with the session in one transaction: its end is a mark, and they are released afterwards. */
const KEYS = 200;

/** A key whose session has ended is shown as deleted before the store has it so. */
describe('keys of a session that has just ended', () => {
  let dir = '';
  let store: Store;
  let server: RunningServer;

  const start = async () => {
    store = await openLmdbStore({ dir, clock: new SystemClock(), log: silentLogger, random: new SystemRandom() });
    server = await RunningServer.start({ store });
  };
  const stop = async () => {
    await server.stop();
    await store.close();
  };
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'lictor-owed-'));
    await start();
  });
  afterEach(async () => {
    await stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('keep their lock-delay, whoever writes to them in between', async () => {
    const put = (url: string, body: Buffer | object = {}) => server.call('PUT', url, { body });
    await server.register({ Node: 'server-1', Address: '10.0.0.1' });
    const session = { Node: 'server-1', Behavior: 'delete', LockDelay: '15s', Checks: [], NodeChecks: [] };
    const { ID: id } = (await put('/v1/session/create', session)).json as { ID: string };
    for (let n = 0; n < KEYS; n++) await put(`/v1/kv/k${n}?acquire=${id}`, Buffer.from('old'));
    // Reopened, LMDB itself has the keys.
    await stop();
    await start();
    // The transaction holds the lock of the key when the session ends; the write after it waits, and is planned again.
    const reader = put('/v1/txn', [
      { KV: { Verb: 'get', Key: 'k0' } },
      { KV: { Verb: 'set', Key: 'z', Value: 'eA==' } },
    ]);
    const destroyed = put(`/v1/session/destroy/${id}`);
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    await Promise.allSettled([reader, destroyed, put('/v1/kv/k0?cas=0', Buffer.from('new'))]);
    const delays = async () => (await store.read(EVERYTHING)).entries.filter(({ key }) => key.includes('lock-delay'));
    for (let look = 0; look < 100 && (await delays()).length < KEYS; look++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(await delays()).toHaveLength(KEYS);
  });
});
