import { SystemClock } from '../../core/clock.ts';
import { createLogger } from '../../core/log.ts';
import { SystemRandom } from '../../core/random.ts';
import { EtcdProcess } from './etcd-process.ts';
import { JsonCalls } from './json-calls.ts';

describe('EtcdProcess', () => {
  it.each([
    ['that is missing', '/nowhere/etcd', /ENOENT/],
    ['that is something else', process.execPath, /does not tell the version of an etcd/],
  ])('says how to get an etcd in the place of one %s', async (_, bin, why) => {
    const log = createLogger({ level: 'error', sink: process.stderr });
    const url = 'http://127.0.0.1:1';
    const etcd = new EtcdProcess(
      { clock: new SystemClock(), random: new SystemRandom(), log, calls: new JsonCalls(undefined) },
      { bin, folder: '/nowhere', name: 'a', clientUrl: url, listenPeerUrl: url, peerUrl: url },
    );
    await expect(etcd.checkVersion()).rejects.toThrow(why);
    await expect(etcd.checkVersion()).rejects.toThrow(
      /^etcd.bin: .*apt-get install etcd-server.*-etcd-bin.*-etcd-endpoints/,
    );
  });
});
