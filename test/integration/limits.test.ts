import { CURRENT_ETCD, INSTALLED_ETCD } from '../support/etcd/binaries.ts';
import { EtcdCluster } from '../support/etcd/etcd-cluster.ts';
import { eventually } from '../support/eventually.ts';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';
import { describeReal } from '../support/require-real.ts';

const WITHIN = { withinMs: 60_000 };
const KIB = 1024;
const LIMIT = 512 * KIB;

interface Answer {
  readonly status: number;
  readonly text: string;
}

async function put(server: AgentProcess, path: string, body: string | Buffer<ArrayBuffer>): Promise<Answer> {
  const response = await fetch(`${server.url}${path}`, { method: 'PUT', body, signal: AbortSignal.timeout(60_000) });
  return { status: response.status, text: await response.text() };
}

async function size(server: AgentProcess, key: string): Promise<number | undefined> {
  const response = await fetch(`${server.url}/v1/kv/${key}?raw`, { signal: AbortSignal.timeout(60_000) });
  const bytes = await response.arrayBuffer();
  return response.status === 200 ? bytes.byteLength : undefined;
}

const sets = (count: number, bytes: number, prefix: string): string =>
  JSON.stringify(
    Array.from({ length: count }, (_, i) => ({
      KV: { Verb: 'set', Key: `${prefix}/${i}`, Value: Buffer.alloc(bytes, 'v').toString('base64') },
    })),
  );

/** A service with this many tags of 100 bytes, and as many checks. */
const registration = (id: string, tags: number, checks: number): string =>
  JSON.stringify({
    Node: 'large',
    Address: '10.9.9.9',
    Service: {
      ID: id,
      Service: 'large',
      Port: 80,
      Tags: Array.from({ length: tags }, (_, i) => `${i}`.padEnd(100, 't')),
    },
    Checks: Array.from({ length: checks }, (_, i) => ({
      CheckID: `${id}-${i}`,
      Name: 'c',
      ServiceID: id,
      Status: 'passing',
    })),
  });

const ENGINES = [
  { name: 'the embedded store', file: undefined, real: true, install: '' },
  ...[INSTALLED_ETCD, CURRENT_ETCD].map((etcd) => ({ ...etcd, real: etcd.file !== undefined })),
];

for (const { name, file, real, install } of ENGINES) {
  describeReal(name, real, install, `what is over a limit, on ${name}`, () => {
    let cluster: EtcdCluster | undefined;
    let server: AgentProcess;
    beforeAll(async () => {
      cluster = file ? await EtcdCluster.start({ file }) : undefined;
      server = await startServer(cluster ? { args: [`-etcd-endpoints=${cluster.url()}`] } : {});
      await eventually(async () => expect((await put(server, '/v1/kv/ready', 'x')).text).toBe('true'), WITHIN);
    }, 120_000);
    afterAll(async () => {
      await server?.stop();
      await cluster?.stop();
    }, 60_000);

    it('a value: 413 naming limit and key of the configuration; beside it all others of the moment are stored', async () => {
      const large = Array.from({ length: 12 }, (_, i) => put(server, `/v1/kv/most/${i}`, Buffer.alloc(LIMIT, 'v')));
      const small = Array.from({ length: 40 }, (_, i) => put(server, `/v1/kv/small/${i}`, 'x'));
      const over = Array.from({ length: 8 }, (_, i) => put(server, `/v1/kv/over/${i}`, Buffer.alloc(LIMIT + 1)));
      for (const answer of await Promise.all([...large, ...small]))
        expect(answer).toEqual({ status: 200, text: 'true' });
      for (const { status, text } of await Promise.all(over)) {
        expect(status).toBe(413);
        expect(text).toMatch(
          /^Request body\(524289 bytes\) too large, max size: 524288 bytes\. See .*#kv_max_value_size\.$/,
        );
      }
      for (let i = 0; i < 12; i++) expect(await size(server, `most/${i}`)).toBe(LIMIT);
      expect((await fetch(`${server.url}/v1/kv/over/?keys`)).status).toBe(404);
    }, 120_000);

    it('a transaction: 413 naming what is too large, and nothing of it is there; one that just fits is there whole', async () => {
      const whole = await put(server, '/v1/txn', sets(80, 4 * KIB, 'whole'));
      expect(whole.status).toBe(200);
      expect((await (await fetch(`${server.url}/v1/kv/whole/?keys`)).json()) as string[]).toHaveLength(80);
      const most = await put(server, '/v1/txn', sets(128, 10, 'most'));
      expect(most.status).toBe(200);
      expect((await (await fetch(`${server.url}/v1/kv/most/?keys`)).json()) as string[]).toHaveLength(128);
      const bytes = await put(server, '/v1/txn', sets(120, 4 * KIB, 'bytes'));
      expect(bytes.status).toBe(413);
      expect(bytes.text).toMatch(/max size: 524288 bytes.*#txn_max_req_len/);
      const many = await put(server, '/v1/txn', sets(129, 10, 'many'));
      expect(many.status).toBe(413);
      expect(many.text).toMatch(/129 > 128/);
      for (const prefix of ['bytes', 'many']) {
        expect((await fetch(`${server.url}/v1/kv/${prefix}/?keys`)).status).toBe(404);
      }
    }, 120_000);

    it('a registration: a clear 413, and nothing of it is there; others at that moment are registered', async () => {
      const others = Array.from({ length: 20 }, (_, i) =>
        put(server, '/v1/catalog/register', registration(`fine-${i}`, 1, 1)),
      );
      const [most, body, checks] = await Promise.all([
        put(server, '/v1/catalog/register', registration('most', 8000, 0)),
        put(server, '/v1/catalog/register', registration('body', 12_000, 0)),
        put(server, '/v1/catalog/register', registration('checks', 1, 300)),
      ]);
      for (const other of await Promise.all(others)) expect(other).toEqual({ status: 200, text: 'true' });
      expect(most).toEqual({ status: 200, text: 'true' });
      expect(body.status).toBe(413);
      expect(body.text).toMatch(/max size: 1048576 bytes/);
      expect(checks.status).toBe(413);
      expect(checks.text).toMatch(/Checks/);
      const found = (await (await fetch(`${server.url}/v1/catalog/service/large`)).json()) as { ServiceID: string }[];
      expect(found.map(({ ServiceID }) => ServiceID).sort()).toEqual(
        ['most', ...Array.from({ length: 20 }, (_, i) => `fine-${i}`)].sort(),
      );
      const health = (await (await fetch(`${server.url}/v1/health/node/large`)).json()) as { CheckID: string }[];
      expect(health.some(({ CheckID }) => CheckID.startsWith('checks-'))).toBe(false);
    }, 120_000);
  });
}
