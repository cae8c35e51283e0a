import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { CliCertificates } from '../support/cli-certificates.ts';
import { CURRENT_ETCD, describeEtcd } from '../support/etcd/binaries.ts';
import { addressOf, etcdFile, isRunning, ManagedServers, putKey, readKey } from '../support/etcd/managed-servers.ts';
import { eventually } from '../support/eventually.ts';
import type { AgentProcess } from '../support/processes/lictor.ts';
import { runLictor } from '../support/processes/run-lictor.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';

const SOON = { withinMs: 60_000, everyMs: 200 };

describeEtcd(CURRENT_ETCD, 'servers with an etcd of their own and TLS 1.3', () => {
  let folder: string;
  let managed: ManagedServers;
  let servers: AgentProcess[];

  const pair = (name: string) => join(folder, name);
  const config = (n: number): string => {
    const text = `tls { internal_rpc {
      ca_file = "${pair('ca.pem')}"
      cert_file = "${pair(`server-${n}.pem`)}"
      key_file = "${pair(`server-${n}-key.pem`)}"
      verify_incoming = true
      verify_server_hostname = true
      tls_min_version = "TLSv1_3"
    } }`;
    writeFileSync(pair(`server-${n}.hcl`), text);
    return pair(`server-${n}.hcl`);
  };
  const peers = async (of: AgentProcess) => {
    const { stdout } = await runLictor(['operator', 'raft', 'list-peers'], { agent: of });
    return [...stdout.matchAll(/server-\d/g)].map(([name]) => name).sort();
  };
  const etcdPid = (server: AgentProcess) => Number(readFileSync(etcdFile(server, 'etcd.pid'), 'utf8'));
  const exited = (server: AgentProcess) => eventually(() => expect(server.process.running).toBe(false), SOON);
  const leader = async (): Promise<AgentProcess> => {
    const [address] = (await servers[0]!.get<string>('/v1/status/leader')).split(':');
    return servers.find((one) => one.address === address)!;
  };
  const allThree = () =>
    eventually(async () => {
      expect(await peers(servers[0]!)).toEqual(['server-1', 'server-2', 'server-3']);
    }, SOON);
  /** What a client with a right certificate that speaks this version alone gets: the version, or why there is none. */
  const shake = (port: number, version: 'TLSv1.2' | 'TLSv1.3'): Promise<string> =>
    new Promise((resolve) => {
      const socket = connectTls({
        ...{ host: addressOf(1), port, servername: 'server.dc1.consul', minVersion: version, maxVersion: version },
        ...{ ca: readFileSync(pair('ca.pem')), cert: readFileSync(pair('server-1.pem')) },
        key: readFileSync(pair('server-1-key.pem')),
      });
      socket.on('error', ({ message }) => resolve(message));
      socket.once('secureConnect', () => {
        resolve(socket.getProtocol()!);
        socket.destroy();
      });
    });

  beforeAll(async () => {
    folder = tempFolder('managed-etcd-leave-tls');
    const ours = await CliCertificates.create(pair('ours'));
    copyFileSync(ours.ca, pair('ca.pem'));
    for (const n of [1, 2, 3]) {
      await ours.issue(pair(`server-${n}`), '-server', '-additional-ipaddress', addressOf(n));
    }
    managed = await ManagedServers.on(CURRENT_ETCD);
    const flags = (n: number) => ['-bootstrap-expect=3', '-config-file', config(n)];
    servers = await Promise.all(
      [1, 2, 3].map((n) =>
        managed.start(n, { flags: [...flags(n), ...(n === 3 ? ['-hcl=leave_on_terminate = true'] : [])] }),
      ),
    );
    await allThree();
  }, 180_000);
  afterAll(async () => {
    await managed.stop();
    removeFolder(folder);
  }, 60_000);

  it('refuse TLS 1.2 at all their ports', async () => {
    const { server, client, peer } = managed.ports;
    for (const port of [server, client, peer]) {
      expect([port, await shake(port, 'TLSv1.2')]).toEqual([port, expect.stringMatching(/protocol version/i)]);
      expect([port, await shake(port, 'TLSv1.3')]).toEqual([port, 'TLSv1.3']);
    }
  }, 60_000);

  it('leave when they are told: the leader hands over, and a later start enters anew', async () => {
    const leaving = await leader();
    const others = servers.filter((one) => one !== leaving);
    await putKey(leaving, 'a', '1');
    const pid = etcdPid(leaving);
    const left = await runLictor(['leave'], { agent: leaving });
    expect({ code: left.code, stdout: left.stdout }).toEqual({ code: 0, stdout: 'Graceful leave complete\n' });
    await exited(leaving);
    expect(leaving.process.exit).toEqual({ code: 0, signal: null });
    await eventually(() => expect(isRunning(pid)).toBe(false), SOON);
    expect([existsSync(etcdFile(leaving, 'data')), existsSync(etcdFile(leaving, 'data.old'))]).toEqual([false, true]);
    expect(await peers(others[0]!)).toEqual(others.map(({ name }) => name));
    for (const server of others) await putKey(server, `b/${server.name}`, '2');
    await leaving.restart();
    await allThree();
    expect(await readKey(leaving, 'a')).toBe('1');
  }, 180_000);

  it('leave by SIGTERM where leave_on_terminate says so', async () => {
    const third = servers[2]!;
    const pid = etcdPid(third);
    third.process.signal('SIGTERM');
    await exited(third);
    expect(third.process.exit).toEqual({ code: 0, signal: null });
    await eventually(() => expect(isRunning(pid)).toBe(false), SOON);
    expect(existsSync(etcdFile(third, 'data'))).toBe(false);
    await eventually(async () => expect(await peers(servers[0]!)).toEqual(['server-1', 'server-2']), SOON);
    for (const server of servers.slice(0, 2)) await putKey(server, `c/${server.name}`, '3');
  }, 180_000);
});
