import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { SystemClock } from '../../core/clock.ts';
import { createLogger } from '../../core/log.ts';
import { SystemRandom } from '../../core/random.ts';
import { EtcdProcess } from '../../lictor/managed-etcd/etcd-process.ts';
import { JsonCalls } from '../../lictor/managed-etcd/json-calls.ts';
import { describeEtcd, INSTALLED_ETCD } from '../support/etcd/binaries.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/processes/free-port.ts';
import { fastTempFolder, removeFolder } from '../support/processes/temp-folder.ts';

const SOON = { withinMs: 30_000, everyMs: 100 };
const NEVER = new AbortController().signal;

describeEtcd(INSTALLED_ETCD, 'an etcd beside its server', (bin) => {
  let folder: string;
  let urls: { clientUrl: string; listenPeerUrl: string; peerUrl: string };
  let lines: Record<string, unknown>[];
  let etcd: EtcdProcess;
  let stop: AbortController;
  let running: Promise<void> | undefined;

  /** As a server that is started has it. */
  const beside = () => {
    const write = (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>);
    const log = createLogger({ sink: { write } });
    const deps = { clock: new SystemClock(), log, random: new SystemRandom(), calls: new JsonCalls(undefined) };
    return new EtcdProcess(deps, { bin, folder, name: 'm0', ...urls });
  };
  const pidFile = () => join(folder, 'etcd.pid');
  const said = (text: string) => lines.filter(({ msg }) => String(msg).startsWith(text));
  const keep = (process: EtcdProcess) => {
    running = process.run({ signal: stop.signal, ready: () => {} });
    running.catch(() => {});
  };
  const begin = async () => {
    etcd.start({ members: `m0=${urls.peerUrl}`, state: 'new', token: 't' });
    await etcd.answers(NEVER);
  };
  /** Of all processes, those that have this data folder among their arguments. */
  const all = () =>
    readdirSync('/proc').filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').includes(join(folder, 'data'));
      } catch {
        return false;
      }
    });

  beforeEach(async () => {
    folder = fastTempFolder('beside', 256 * 2 ** 20);
    const [client, peer] = [await freePort(), await freePort()];
    const peerUrl = `http://127.0.0.1:${peer}`;
    urls = { clientUrl: `http://127.0.0.1:${client}`, listenPeerUrl: peerUrl, peerUrl };
    lines = [];
    etcd = beside();
    stop = new AbortController();
    running = undefined;
  });
  afterEach(async () => {
    stop.abort();
    await running?.catch(() => {});
    await etcd.stop(0);
    removeFolder(folder);
  });

  it('runs also where its process id cannot be written down, which is done later', async () => {
    mkdirSync(pidFile());
    await begin();
    const pid = etcd.pid!;
    const problem = 'it is a folder; name a file';
    expect(said('the process id of etcd cannot be written down yet')).toMatchObject([
      { pid, problem, file: pidFile() },
    ]);
    expect(etcd.endCommand()).toBe(`kill ${pid}`);

    const next = beside();
    next.adopt();
    expect(next.pid).toBe(pid);
    next.start();
    expect(said('etcd runs already')).toHaveLength(1);
    keep(next);
    rmSync(pidFile(), { recursive: true });
    await eventually(() => expect(readFileSync(pidFile(), 'utf8')).toBe(`${pid}\n`), SOON);
    expect(said('the process id of etcd is written down now')).toHaveLength(1);
    expect(all()).toEqual([String(pid)]);
  }, 120_000);

  it('is not started twice when the file of its process id has gone', async () => {
    await begin();
    const pid = etcd.pid!;
    rmSync(pidFile());
    const next = beside();
    keep(next);
    await eventually(() => expect(existsSync(pidFile())).toBe(true), SOON);
    expect([all(), said('etcd has ended')]).toEqual([[String(pid)], []]);
  }, 120_000);

  it('is started again as soon as the disk lets it', async () => {
    await begin();
    keep(etcd);
    const log = join(folder, 'etcd.log');
    renameSync(log, `${log}.kept`);
    mkdirSync(log);
    process.kill(etcd.pid!, 'SIGKILL');
    await eventually(() => expect(said('etcd cannot be started yet')[0]).toMatchObject({ file: log }), SOON);
    rmSync(log, { recursive: true });
    renameSync(`${log}.kept`, log);
    await eventually(() => etcd.members.list(), SOON);
    expect(all()).toEqual([String(etcd.pid)]);
  }, 120_000);
});
