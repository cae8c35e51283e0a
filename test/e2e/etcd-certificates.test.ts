import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CURRENT_ETCD, describeEtcd, INSTALLED_ETCD } from '../support/etcd/binaries.ts';
import { etcdTlsArgs, type Pair, TestAuthority } from '../support/etcd/certificates.ts';
import { EtcdCluster } from '../support/etcd/etcd-cluster.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/processes/free-port.ts';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';
import { runLictor } from '../support/processes/run-lictor.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';

const WITHIN = { withinMs: 90_000 };
const DAY_MS = 86_400_000;
const DATE = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z/;

async function put(server: AgentProcess, key: string): Promise<{ status: number; text: string }> {
  const options = { method: 'PUT', body: 'x', signal: AbortSignal.timeout(60_000) };
  const response = await fetch(`${server.url}/v1/kv/${key}`, options);
  return { status: response.status, text: await response.text() };
}

const wrote = (server: AgentProcess, key: string): Promise<unknown> =>
  eventually(async () => expect(await put(server, key)).toEqual({ status: 200, text: 'true' }), WITHIN);

const refused = (server: AgentProcess, key: string): Promise<unknown> =>
  eventually(async () => expect((await put(server, key)).status).toBeGreaterThanOrEqual(500), WITHIN);

/** That a process that cannot reach etcd uses less than half of a processor. */
async function doesNotSpin(server: AgentProcess): Promise<void> {
  const before = server.process.cpuSeconds();
  await new Promise((resolve) => setTimeout(resolve, 2000));
  expect(server.process.cpuSeconds() - before).toBeLessThan(1);
}

interface Files {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** The ways to reload differ in Lictor alone: only one etcd shows all. */
for (const etcd of [INSTALLED_ETCD, CURRENT_ETCD]) {
  const shown = etcd === CURRENT_ETCD ? undefined : 1;
  describeEtcd(etcd, `a server behind the TLS of ${etcd.name}`, (file) => {
    const folder = tempFolder('etcd-certificates');
    let ours: TestAuthority;
    let theirs: TestAuthority;
    const clusters: EtcdCluster[] = [];
    const servers: AgentProcess[] = [];
    beforeAll(async () => {
      [ours, theirs] = [await TestAuthority.make('ours'), await TestAuthority.make('theirs')];
    });
    afterEach(async () => {
      await Promise.all(servers.splice(0).map((server) => server.stop()));
      await Promise.all(clusters.splice(0).map((cluster) => cluster.stop()));
    }, 60_000);
    afterAll(() => removeFolder(folder));

    /** A folder for a server and an etcd, and where the server's files are in it. */
    const newPlace = (): { place: string; files: Files } => {
      const place = mkdtempSync(join(folder, 'place-'));
      const files = {
        ca: join(place, 'our-ca.pem'),
        cert: join(place, 'our-cert.pem'),
        key: join(place, 'our-key.pem'),
      };
      writeFileSync(files.ca, ours.ca);
      return { place, files };
    };
    const give = ({ cert, key }: Pair, to: Files): void => {
      writeFileSync(to.cert, cert);
      writeFileSync(to.key, key);
    };
    const start = async (member: Pair, place: string): Promise<EtcdCluster> => {
      const one = await EtcdCluster.start({ file, scheme: 'https', args: etcdTlsArgs(place, member, ours.ca) });
      clusters.push(one);
      return one;
    };
    const tlsArgs = (endpoints: readonly string[], files: Files): string[] => [
      `-etcd-endpoints=${endpoints.join(',')}`,
      ...[`-etcd-ca-file=${files.ca}`, `-etcd-cert-file=${files.cert}`, `-etcd-key-file=${files.key}`],
    ];
    /** A server that has written, and its etcd, whose certificates count. */
    const running = async (args: readonly string[] = []) => {
      const { place, files } = newPlace();
      give(await ours.issue(), files);
      const cluster = await start(await ours.issue(), place);
      const server = await startServer({ args: [...tlsArgs(cluster.endpoints, files), ...args] });
      servers.push(server);
      await wrote(server, 'before');
      return { place, files, cluster, server };
    };
    /** The one line with which a server with this certificate refuses to start on an etcd with that one. */
    const refusal = async (own: Pair, member: Pair): Promise<string> => {
      const { place, files } = newPlace();
      give(own, files);
      const { endpoints } = await start(member, place);
      const ports = await Promise.all(
        ['http', 'dns', 'server'].map(async (kind) => `-${kind}-port=${await freePort()}`),
      );
      const fixed = ['agent', '-server', '-node=refused', '-bind=127.0.0.1', `-data-dir=${join(place, 'data')}`];
      return eventually(async () => {
        const { code, stderr } = await runLictor([...fixed, ...ports, ...tlsArgs(endpoints, files)]);
        // Until etcd listens, nothing is told of certificates.
        if (/ECONNREFUSED/.test(stderr)) throw new Error(stderr);
        expect(code).toBe(1);
        return stderr.trim().split('\n').at(-1)!;
      }, WITHIN);
    };
    const now = Date.now();

    it('is refused where its own or the member’s certificate does not count, with whose, dates and what to do', async () => {
      const good = await ours.issue();
      // Each refusal takes as long as etcd is waited for.
      const [own, members] = [
        [
          refusal(await ours.issue({ expired: true }), good),
          refusal(await ours.issue({ notBeforeMs: now + 3_600_000 }), good),
          refusal(await theirs.issue(), good),
        ],
        [
          refusal(good, await ours.issue({ expired: true })),
          refusal(good, await ours.issue({ notBeforeMs: now + 3_600_000 })),
          refusal(good, await ours.issue({ ip: '10.9.9.9' })),
          refusal(good, await theirs.issue()),
        ],
      ];
      const [ownLines, lines] = await Promise.all([Promise.all(own), Promise.all(members)]);
      const [expired, early, foreign] = ownLines;
      expect(expired).toMatch(
        /certificate in .*our-cert\.pem expired at .*Z, etcd refuses it: replace .*our-cert\.pem and .*our-key\.pem, then reload/,
      );
      expect(early).toMatch(
        /certificate in .*our-cert\.pem counts from .*Z on, etcd refuses it: set the clock, or replace/,
      );
      for (const line of [expired, early]) expect(line).toMatch(DATE);
      expect(foreign).toMatch(/etcd 127\.0\.0\.1:\d+.*-etcd-cert-file/);
      const [memberExpired, memberEarly, name, otherAuthority] = lines;
      expect(memberExpired).toMatch(/certificate has expired; renew the certificate of this etcd member/);
      expect(memberEarly).toMatch(/not yet valid; set the clock of this machine/);
      expect(name).toMatch(/give this etcd member a certificate for that name, or .*etcd\.server_name/);
      expect(otherAuthority).toMatch(/etcd\.ca_file \(-etcd-ca-file\) must hold the authority/);
      for (const line of lines) {
        expect(line).toMatch(/etcd 127\.0\.0\.1:\d+ shows a certificate for .* that counts from .*Z to .*Z/);
      }
    }, 180_000);

    it('says that its certificate no longer counts, goes on when that is renewed, and does not spin meanwhile', async () => {
      const ways: [(one: AgentProcess) => Promise<unknown>, string[]][] = [
        [async (one) => one.process.signal('SIGHUP'), []],
        [(one) => runLictor(['reload'], { agent: one }), []],
        [async () => {}, ['-auto-reload-config']],
      ];
      const goesOn = async ([reload, args]: (typeof ways)[number]): Promise<void> => {
        const { files, cluster, server } = await running(args);
        // As after its time: the connections that are there go on, new ones are refused.
        give(await ours.issue({ expired: true }), files);
        await reload(server);
        await eventually(() => /our-cert\.pem expired at .*etcd refuses it: replace/.test(server.log()), WITHIN);
        await cluster.kill();
        await cluster.restart();
        await refused(server, 'meanwhile');
        expect((await fetch(`${server.url}/v1/kv/before?stale`)).status).toBe(200);
        await doesNotSpin(server);
        give(await ours.issue({ notAfterMs: now + DAY_MS / 2 }), files);
        await reload(server);
        await wrote(server, 'after');
      };
      await Promise.all(ways.slice(0, shown).map(goesOn));
    }, 240_000);

    it('goes on by itself when a member’s certificate that had expired is renewed', async () => {
      const { place, cluster, server } = await running();
      etcdTlsArgs(place, await ours.issue({ expired: true }), ours.ca);
      await cluster.kill();
      await cluster.restart();
      await refused(server, 'meanwhile');
      const text = /certificate has expired; renew the certificate of this etcd member/;
      await eventually(() => text.test(server.log()), WITHIN);
      await eventually(async () => expect((await put(server, 'meanwhile')).text).toMatch(text), WITHIN);
      await doesNotSpin(server);
      // Etcd reads its files for each connection.
      etcdTlsArgs(place, await ours.issue(), ours.ca);
      await wrote(server, 'after');
    }, 240_000);
  });
}
