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

/** Processor seconds that a process uses while it cannot reach etcd for some time. */
async function cpuOver(server: AgentProcess, ms: number): Promise<number> {
  const before = server.process.cpuSeconds();
  await new Promise((resolve) => setTimeout(resolve, ms));
  return server.process.cpuSeconds() - before;
}

/** The ways to reload differ in Lictor alone: only one etcd shows all. */
for (const etcd of [INSTALLED_ETCD, CURRENT_ETCD]) {
  const shown = etcd === CURRENT_ETCD ? undefined : 1;
  describeEtcd(etcd, `a server behind the TLS of ${etcd.name}`, (file) => {
    const folder = tempFolder('etcd-certificates');
    const paths = {
      ca: join(folder, 'our-ca.pem'),
      cert: join(folder, 'our-cert.pem'),
      key: join(folder, 'our-key.pem'),
    };
    let ours: TestAuthority;
    let theirs: TestAuthority;
    const clusters: EtcdCluster[] = [];
    let server: AgentProcess | undefined;
    beforeAll(async () => {
      [ours, theirs] = [await TestAuthority.make('ours'), await TestAuthority.make('theirs')];
      writeFileSync(paths.ca, ours.ca);
    });
    afterEach(async () => {
      await server?.stop();
      await Promise.all(clusters.splice(0).map((cluster) => cluster.stop()));
      server = undefined;
    }, 60_000);
    afterAll(() => removeFolder(folder));

    const give = ({ cert, key }: Pair, to = paths): void => {
      writeFileSync(to.cert, cert);
      writeFileSync(to.key, key);
    };
    const start = async (member: Pair, inFolder = folder): Promise<EtcdCluster> => {
      const one = await EtcdCluster.start({ file, scheme: 'https', args: etcdTlsArgs(inFolder, member, ours.ca) });
      clusters.push(one);
      return one;
    };
    const tlsArgs = (endpoints: readonly string[], files = paths): string[] => [
      `-etcd-endpoints=${endpoints.join(',')}`,
      ...[`-etcd-ca-file=${files.ca}`, `-etcd-cert-file=${files.cert}`, `-etcd-key-file=${files.key}`],
    ];
    /** The one line with which a server with this certificate refuses to start on an etcd with that one. */
    const refusal = async (own: Pair, member: Pair): Promise<string> => {
      const place = mkdtempSync(join(folder, 'refused-'));
      const files = { ca: paths.ca, cert: join(place, 'our-cert.pem'), key: join(place, 'our-key.pem') };
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

    it('whose own certificate does not count is refused, with file, date and what to do', async () => {
      const good = await ours.issue();
      // Each refusal takes as long as etcd is waited for.
      const [expired, early, foreign] = await Promise.all([
        refusal(await ours.issue({ expired: true }), good),
        refusal(await ours.issue({ notBeforeMs: now + 3_600_000 }), good),
        refusal(await theirs.issue(), good),
      ]);
      expect(expired).toMatch(
        /certificate in .*our-cert\.pem expired at .*Z, etcd refuses it: replace .*our-cert\.pem and .*our-key\.pem, then reload/,
      );
      expect(early).toMatch(
        /certificate in .*our-cert\.pem counts from .*Z on, etcd refuses it: set the clock, or replace/,
      );
      for (const line of [expired, early]) expect(line).toMatch(DATE);
      expect(foreign).toMatch(/etcd 127\.0\.0\.1:\d+.*-etcd-cert-file/);
    }, 180_000);

    it('of which the member’s certificate does not count is refused, with endpoint, dates and what to do', async () => {
      const good = await ours.issue();
      const lines = await Promise.all([
        refusal(good, await ours.issue({ expired: true })),
        refusal(good, await ours.issue({ notBeforeMs: now + 3_600_000 })),
        refusal(good, await ours.issue({ ip: '10.9.9.9' })),
        refusal(good, await theirs.issue()),
      ]);
      const [expired, early, name, foreign] = lines;
      expect(expired).toMatch(/certificate has expired; renew the certificate of this etcd member/);
      expect(early).toMatch(/not yet valid; set the clock of this machine/);
      expect(name).toMatch(/give this etcd member a certificate for that name, or .*etcd\.server_name/);
      expect(foreign).toMatch(/etcd\.ca_file \(-etcd-ca-file\) must hold the authority/);
      for (const line of lines) {
        expect(line).toMatch(/etcd 127\.0\.0\.1:\d+ shows a certificate for .* that counts from .*Z to .*Z/);
      }
    }, 180_000);

    it.each(
      [
        ['SIGHUP', async (one: AgentProcess) => one.process.signal('SIGHUP'), []],
        ['lictor reload', (one: AgentProcess) => runLictor(['reload'], { agent: one }), []],
        ['auto_reload_config', async () => {}, ['-auto-reload-config']],
      ].slice(0, shown) as [string, (one: AgentProcess) => Promise<unknown>, string[]][],
    )(
      'says that its certificate no longer counts, goes on when that is renewed (%s), and does not spin meanwhile',
      async (_, reload, args) => {
        give(await ours.issue());
        const { endpoints } = await start(await ours.issue());
        server = await startServer({ args: [...tlsArgs(endpoints), ...args] });
        await wrote(server, 'before');
        // As after its time: the connections that are there go on, new ones are refused.
        give(await ours.issue({ expired: true }));
        await reload(server);
        await eventually(() => /our-cert\.pem expired at .*etcd refuses it: replace/.test(server!.log()), WITHIN);
        await clusters[0]!.kill();
        await clusters[0]!.restart();
        await refused(server, 'meanwhile');
        expect((await fetch(`${server.url}/v1/kv/before?stale`)).status).toBe(200);
        expect(await cpuOver(server, 6000)).toBeLessThan(3);
        give(await ours.issue({ notAfterMs: now + DAY_MS / 2 }));
        await reload(server);
        await wrote(server, 'after');
      },
      240_000,
    );

    it('goes on by itself when a member’s certificate that had expired is renewed', async () => {
      give(await ours.issue());
      const { endpoints } = await start(await ours.issue());
      server = await startServer({ args: tlsArgs(endpoints) });
      await wrote(server, 'before');
      etcdTlsArgs(folder, await ours.issue({ expired: true }), ours.ca);
      await clusters[0]!.kill();
      await clusters[0]!.restart();
      await refused(server, 'meanwhile');
      const text = /certificate has expired; renew the certificate of this etcd member/;
      await eventually(() => text.test(server!.log()), WITHIN);
      await eventually(async () => expect((await put(server!, 'meanwhile')).text).toMatch(text), WITHIN);
      expect(await cpuOver(server, 6000)).toBeLessThan(3);
      // Etcd reads its files for each connection.
      etcdTlsArgs(folder, await ours.issue(), ours.ca);
      await wrote(server, 'after');
    }, 240_000);
  });
}
