import { X509Certificate } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { CliCertificates } from '../support/cli-certificates.ts';
import { CURRENT_ETCD, INSTALLED_ETCD } from '../support/etcd/binaries.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/processes/free-port.ts';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';
import { runLictor } from '../support/processes/run-lictor.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';
import { describeReal } from '../support/require-real.ts';

const SOON = { withinMs: 60_000, everyMs: 100 };
const addressOf = (n: number) => `127.0.0.${30 + n}`;

interface Listed {
  readonly name: string;
  readonly peerURLs: readonly string[];
  readonly isLearner?: boolean;
}

function etcdPid(server: AgentProcess): number {
  return Number(readFileSync(join(server.folder, 'data', 'etcd', 'etcd.pid'), 'utf8'));
}

/** Ends a server with its etcd, whatever has become of both. */
async function end(server: AgentProcess): Promise<void> {
  await server.kill();
  try {
    process.kill(etcdPid(server), 'SIGKILL');
  } catch {
    // It has ended, or has never begun.
  }
  await server.stop();
}

async function put(server: AgentProcess, path: string, value = ''): Promise<string> {
  const init = { method: 'PUT', body: value, signal: AbortSignal.timeout(60_000) };
  const response = await fetch(`${server.url}${path}`, init);
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${path}: ${response.status} ${text}`);
  return text;
}

async function read(server: AgentProcess, key: string): Promise<string> {
  const response = await fetch(`${server.url}/v1/kv/${key}?raw`, { signal: AbortSignal.timeout(30_000) });
  return response.text();
}

for (const etcd of [INSTALLED_ETCD, CURRENT_ETCD]) {
  const what = `servers that run ${etcd.name} themselves with TLS`;
  describeReal('etcd', etcd.file !== undefined, etcd.install, what, () => {
    let folder: string;
    let ours: CliCertificates;
    let ports: { server: number; client: number; peer: number };
    let servers: AgentProcess[] = [];
    const pair = (name: string) => join(folder, name);

    /** The authorities that all trust, and a server's own pair. */
    const tlsFlags = (name: string): string[] => {
      const text = `tls { internal_rpc {
        ca_file = "${pair('ca.pem')}"
        cert_file = "${pair(`${name}.pem`)}"
        key_file = "${pair(`${name}-key.pem`)}"
        verify_incoming = true
        verify_server_hostname = true
      } }`;
      writeFileSync(pair(`${name}.hcl`), text);
      return ['-config-file', pair(`${name}.hcl`)];
    };
    const flags = (n: number, at = ports): string[] => [
      '-bootstrap-expect=3',
      `-server-port=${at.server}`,
      `-advertise=${addressOf(n)}`,
      `-etcd-bin=${etcd.file}`,
      `-etcd-client-port=${at.client}`,
      `-etcd-peer-port=${at.peer}`,
      ...[1, 2, 3].map((other) => `-retry-join=${addressOf(other)}:${at.server}`),
    ];
    const start = (n: number): Promise<AgentProcess> =>
      startServer({
        node: `server-${n}`,
        readyMs: 120_000,
        place: { address: addressOf(n), inside: [] },
        args: [...flags(n), ...tlsFlags(`server-${n}`)],
      });
    /** Runs a server that cannot join until it has said the line, or ends; what it said, and its exit code. */
    const outsider = async (name: string, more: readonly string[], line?: RegExp) => {
      const n = 4;
      const own = ['agent', '-server', `-node=${name}`, `-bind=${addressOf(n)}`, `-client=${addressOf(n)}`];
      const rest = ['-http-port=0', '-dns-port=-1', `-data-dir=${pair(`data-${name}`)}`, ...flags(n), ...more];
      let ended = false;
      const seen = (text: string, end: () => void) => {
        // A second Ctrl-C would end it out of order.
        if (ended || !line?.test(text)) return;
        ended = true;
        end();
      };
      return runLictor([...own, ...rest], { onStderr: seen, onOutput: seen });
    };

    /** What a client gets of an etcd's port. */
    const ask = (port: number, name: string | undefined, path: string, method = 'POST'): Promise<string> =>
      new Promise((resolve) => {
        const own =
          name === undefined ? {} : { cert: readFileSync(`${name}.pem`), key: readFileSync(`${name}-key.pem`) };
        const asked = request(
          {
            host: addressOf(1),
            port,
            path,
            method,
            servername: 'server.dc1.consul',
            ca: readFileSync(pair('ca.pem')),
            agent: false,
            ...own,
          },
          (response) => {
            let text = '';
            response.setEncoding('utf8').on('data', (chunk: string) => {
              text += chunk;
            });
            response.on('end', () => resolve(text));
          },
        );
        asked.on('error', (error) => resolve(`refused: ${error.message}`));
        asked.end('{}');
      });
    const members = async (): Promise<Listed[]> => {
      const text = await ask(ports.client, pair('server-1'), '/v3/cluster/member/list');
      return (JSON.parse(text) as { members: Listed[] }).members;
    };
    /** The certificate that a peer port serves to a connection that begins now. */
    const served = (n: number): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connectTls({ host: addressOf(n), port: ports.peer, rejectUnauthorized: false });
        socket.on('error', reject);
        socket.once('secureConnect', () => {
          resolve(socket.getPeerX509Certificate()!.serialNumber);
          socket.destroy();
        });
      });
    const serialOf = (name: string) => new X509Certificate(readFileSync(pair(`${name}.pem`))).serialNumber;
    const reload = (server: AgentProcess) => put(server, '/v1/agent/reload');

    beforeAll(async () => {
      folder = tempFolder('managed-etcd-tls');
      ours = await CliCertificates.create(pair('ours'));
      copyFileSync(ours.ca, pair('ca.pem'));
      for (const n of [1, 2, 3, 4]) {
        await ours.issue(pair(`server-${n}`), '-server', '-additional-ipaddress', addressOf(n));
      }
      await ours.issue(pair('agent'), '-client');
      ports = { server: await freePort(), client: await freePort(), peer: await freePort() };
      servers = await Promise.all([1, 2, 3].map((n) => start(n)));
    }, 240_000);
    afterAll(async () => {
      for (const server of servers) await end(server);
      removeFolder(folder);
    }, 60_000);

    it('form one cluster of full members, which answers everywhere', async () => {
      const listed = await members();
      expect(listed.map(({ name, peerURLs }) => `${name} ${peerURLs.join()}`).sort()).toEqual(
        [1, 2, 3].map((n) => `server-${n} https://${addressOf(n)}:${ports.peer}`),
      );
      expect(listed.filter(({ isLearner }) => isLearner)).toEqual([]);
      await eventually(async () => expect(await put(servers[2]!, '/v1/kv/a', '1')).toBe('true'), SOON);
      for (const server of servers) expect(await read(server, 'a')).toBe('1');
    }, 120_000);

    it('have an etcd that takes certificates of the authority alone, and of servers alone at the peer port', async () => {
      expect(await ask(ports.client, undefined, '/v3/kv/range')).toMatch(/^refused/);
      expect(await ask(ports.peer, undefined, '/version')).toMatch(/^refused/);
      expect(await ask(ports.peer, pair('agent'), '/version')).toMatch(/^refused/);
      expect(await ask(ports.peer, pair('server-1'), '/version')).toMatch(/etcdserver|not allowed/i);
      const hello = '/v1/internal/etcd/hello';
      expect(await ask(ports.server, pair('agent'), '/v1/status/leader', 'GET')).toContain(addressOf(1).slice(0, -1));
      expect(await ask(ports.server, pair('agent'), hello, 'PUT')).toMatch(/^servers alone .* server\.dc1\.consul/);
      expect(await ask(ports.server, pair('server-1'), hello, 'PUT')).toMatch(/^expect must be a count/);
      const clear = fetch(`http://${addressOf(1)}:${ports.client}/v3/kv/range`, { method: 'POST', body: '{}' });
      // Etcd answers with a status that says why, or closes the connection.
      expect(await clear.then(({ status }) => status).catch(() => 400)).toBe(400);
    }, 60_000);

    it('do not let in who speaks in the clear, or is of another authority', async () => {
      const clear = await outsider('clear', [], /tls\.internal_rpc/);
      expect(clear.stdout + clear.stderr).toMatch(
        /it speaks TLS alone, give this server tls\.internal_rpc as the others/,
      );
      const theirs = await CliCertificates.create(pair('theirs'));
      await theirs.issue(pair('stranger'), '-server', '-additional-ipaddress', addressOf(4));
      const config = tlsFlags('stranger');
      const mixed = await outsider('mixed', config);
      expect(mixed).toMatchObject({ code: 1 });
      expect(mixed.stdout + mixed.stderr).toMatch(
        /tls\.internal_rpc\.cert_file: .*stranger\.pem is signed by no authority that this server trusts/,
      );
      writeFileSync(
        pair('stranger.hcl'),
        readFileSync(pair('stranger.hcl'), 'utf8').replace(pair('ca.pem'), theirs.ca),
      );
      const stranger = await outsider('stranger', config, /of no authority that this server trusts/);
      expect(stranger.stdout + stranger.stderr).toMatch(/tls\.internal_rpc\.ca_file.*a server cannot be spoken to/);
      expect((await members()).map(({ name }) => name).sort()).toEqual(['server-1', 'server-2', 'server-3']);
    }, 240_000);

    it('refuse to start with a certificate that the others would not take, and name what it lacks', async () => {
      await ours.issue(pair('nowhere'), '-server');
      const lacking = await outsider('nowhere', tlsFlags('nowhere'));
      expect(lacking).toMatchObject({ code: 1 });
      expect(lacking.stdout + lacking.stderr).toMatch(
        `tls.internal_rpc.cert_file: the certificate in ${pair('nowhere.pem')} is not for ${addressOf(4)}`,
      );
    }, 60_000);

    it('write on when the etcd of the leader dies, or of another one, which is started again', async () => {
      const leading = (await servers[0]!.get<string>('/v1/status/leader')).split(':')[0];
      const leader = servers.find(({ address }) => address === leading)!;
      const others = servers.filter((server) => server !== leader);
      for (const [round, victim] of [leader, others[0]!].entries()) {
        const pid = etcdPid(victim);
        process.kill(pid, 'SIGKILL');
        for (const [at, server] of servers.entries()) {
          await eventually(
            async () => expect(await put(server, `/v1/kv/killed-${round}-${at}`, 'x')).toBe('true'),
            SOON,
          );
        }
        await eventually(() => expect(etcdPid(victim)).not.toBe(pid), SOON);
        expect(await victim.get<string[]>(`/v1/kv/killed-${round}?keys`)).toHaveLength(servers.length);
      }
    }, 180_000);

    it('leave their etcd running when they are restarted', async () => {
      const server = servers[1]!;
      const before = etcdPid(server);
      await server.terminate();
      await server.restart();
      expect(etcdPid(server)).toBe(before);
      await eventually(async () => expect(await put(server, '/v1/kv/restarted', 'x')).toBe('true'), SOON);
    }, 120_000);

    it('go on with renewed certificates, also of another authority', async () => {
      const [, second] = servers;
      const before = etcdPid(second!);
      await ours.issue(pair('server-2'), '-server', '-additional-ipaddress', addressOf(2));
      await reload(second!);
      expect(await served(2)).toBe(serialOf('server-2'));
      expect(etcdPid(second!)).toBe(before);
      expect(await put(second!, '/v1/kv/b', '2')).toBe('true');

      const next = await CliCertificates.create(pair('next'));
      writeFileSync(pair('ca.pem'), readFileSync(ours.ca, 'utf8') + readFileSync(next.ca, 'utf8'));
      for (const server of servers) await reload(server);
      expect(etcdPid(second!)).not.toBe(before);
      for (const [at, server] of servers.entries()) {
        await next.issue(pair(`server-${at + 1}`), '-server', '-additional-ipaddress', addressOf(at + 1));
        await reload(server);
        await eventually(async () => expect(await put(server, '/v1/kv/c', `${at}`)).toBe('true'), SOON);
      }
      copyFileSync(next.ca, pair('ca.pem'));
      for (const server of servers) await reload(server);
      for (const [at, server] of servers.entries()) {
        expect(await served(at + 1)).toBe(serialOf(`server-${at + 1}`));
        await eventually(async () => expect(await put(server, '/v1/kv/d', `${at}`)).toBe('true'), SOON);
      }
      for (const server of servers) expect(await read(server, 'd')).toBe('2');
    }, 240_000);

    it('take in a fourth, and one out that is dead', async () => {
      const next = new CliCertificates(pair('next'));
      await next.issue(pair('server-4'), '-server', '-additional-ipaddress', addressOf(4));
      servers.push(await start(4));
      expect(await read(servers[3]!, 'd')).toBe('2');
      const [, , dead] = servers;
      const pid = etcdPid(dead!);
      await dead!.kill();
      process.kill(pid, 'SIGKILL');
      await eventually(
        async () => {
          const names = (await members()).map(({ name }) => name).sort();
          expect(names).toEqual(['server-1', 'server-2', 'server-4']);
        },
        { withinMs: 180_000, everyMs: 500 },
      );
    }, 300_000);

    it('keep the old certificate where the new one would not do', async () => {
      const [first] = servers;
      const serial = await served(1);
      copyFileSync(pair('nowhere.pem'), pair('server-1.pem'));
      copyFileSync(pair('nowhere-key.pem'), pair('server-1-key.pem'));
      await expect(reload(first!)).rejects.toThrow(/tls\.internal_rpc\.cert_file/);
      expect(await served(1)).toBe(serial);
      expect(await put(first!, '/v1/kv/e', '5')).toBe('true');
    }, 60_000);

    it('turn to TLS from the clear, and not back', async () => {
      const config = (n: number) => pair(`turned-${n}.hcl`);
      const at = { server: await freePort(), client: await freePort(), peer: await freePort() };
      for (const n of [1, 2, 3]) {
        writeFileSync(config(n), '');
        await ours.issue(pair(`turned-${n}`), '-server', '-additional-ipaddress', addressOf(n));
      }
      copyFileSync(ours.ca, pair('ca.pem'));
      const turned = await Promise.all(
        [1, 2, 3].map((n) =>
          startServer({
            node: `server-${n}`,
            readyMs: 120_000,
            place: { address: addressOf(n), inside: [] },
            args: [...flags(n, at), '-config-file', config(n)],
          }),
        ),
      );
      try {
        await eventually(async () => expect(await put(turned[0]!, '/v1/kv/a', '1')).toBe('true'), SOON);
        for (const n of [1, 2, 3]) tlsFlags(`turned-${n}`);
        // One has to begin its etcd in the clear once more.
        await turned[2]!.kill();
        process.kill(etcdPid(turned[2]!), 'SIGKILL');
        await Promise.all(turned.map((server) => server.restart()));
        const text = await ask(at.client, pair('turned-1'), '/v3/cluster/member/list');
        const urls = (JSON.parse(text) as { members: Listed[] }).members.flatMap(({ peerURLs }) => peerURLs);
        expect(urls.sort()).toEqual([1, 2, 3].map((n) => `https://${addressOf(n)}:${at.peer}`));
        for (const [n, server] of turned.entries()) {
          await eventually(async () => expect(await put(server, '/v1/kv/b', `${n}`)).toBe('true'), SOON);
        }
        for (const server of turned) expect(await read(server, 'a')).toBe('1');
        writeFileSync(config(1), '');
        await turned[0]!.kill();
        const back = await runLictor(turned[0]!.args);
        expect(back.code).toBe(1);
        expect(back.stdout + back.stderr).toMatch(/tls\.internal_rpc: the etcd of this server has spoken TLS/);
      } finally {
        for (const server of turned) await end(server);
      }
    }, 240_000);
  });
}
