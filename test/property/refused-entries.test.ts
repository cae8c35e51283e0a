import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { AppError } from '../../core/errors.ts';
import { createLogger, type Logger } from '../../core/log.ts';
import { writeArchive } from '../../server/snapshot/archive.ts';
import { collect } from '../../store/contract/shorthand.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { writeSnapshot } from '../../store/snapshot-format.ts';
import type { Store } from '../../store/store.ts';
import { eventually } from '../support/eventually.ts';
import { type FullCatalog, fillCatalog, putRaw, storedEntries } from '../support/full-catalog.ts';
import { type Mutation, mutated, mutations } from '../support/json-mutations.ts';
import { LmdbServer } from '../support/lmdb-server.ts';
import { RunningServer } from '../support/running-server.ts';

/*
 * Whatever lies in the store in the place of any entry, a server starts and goes on, serves all else, and says what it cannot
 * read; and a restore refuses exactly that, by its name.
 */
const RUNS = Number(process.env.FUZZ_RUNS ?? 60);
const REFUSED = /^a stored entry cannot be read and is not served/;
const WRONG = ['{}', 'null', '[]', '5', '"x"', '[null]', '[{}]', '{"id":5}', '{"', '', '@', '1e999', '"\ud800"'];
const KINDS = ['node', 'node-id', 'instance', 'check-definition', 'check-state', 'owner'];
const TABLES = [
  ...[
    'coordinate',
    'virtual-address',
    'manual-virtual-address',
    'kv',
    'session',
    'lock-delay',
    'query',
    'config-entry',
  ],
  ...['connect-ca', 'namespace', 'autopilot'],
];

interface Entry {
  readonly rest: string;
  readonly value: Buffer;
}

/** A logger, and the keys of which it was told that they cannot be read, without their generation. */
function listening(): { log: Logger; keys: Set<string>; texts: string[] } {
  const keys = new Set<string>();
  const texts: string[] = [];
  const write = (line: string) => {
    const { msg, key, text } = JSON.parse(line) as { msg: string; key: string; text: string };
    if (!REFUSED.test(msg)) return;
    keys.add(key.split('/').slice(2).join('/'));
    texts.push(text);
  };
  return { log: createLogger({ level: 'error', sink: { write } }), keys, texts };
}

describe('stored entries that cannot be read', () => {
  let lmdb: LmdbServer;
  let made: FullCatalog;
  let all: Entry[];
  const told = listening();

  beforeAll(async () => {
    lmdb = await LmdbServer.start(told.log);
    made = await fillCatalog(lmdb.server);
    all = await storedEntries(lmdb.store);
  });
  afterAll(() => lmdb.remove());

  const urls = () => [
    '/v1/catalog/nodes',
    '/v1/catalog/services',
    '/v1/catalog/node/n1',
    '/v1/catalog/service/web',
    '/v1/catalog/connect/web',
    '/v1/health/service/web?passing',
    '/v1/health/connect/web',
    '/v1/health/node/n1',
    '/v1/health/checks/web',
    '/v1/health/state/any?ns=*',
    '/v1/kv/?keys',
    '/v1/kv/?recurse',
    '/v1/kv/locked',
    '/v1/session/list',
    '/v1/session/node/n1',
    `/v1/session/info/${made.session}`,
    '/v1/query',
    `/v1/query/${made.plain}`,
    `/v1/query/${made.template}`,
    '/v1/query/plain/execute',
    '/v1/query/tpl-web/execute?near=n1',
    '/v1/query/tpl-web/explain',
    ...['proxy-defaults', 'service-defaults', 'service-resolver', 'service-splitter', 'service-router'].flatMap(listed),
    ...['service-intentions', 'terminating-gateway', 'ingress-gateway', 'api-gateway', 'http-route'].flatMap(listed),
    ...['mesh', 'exported-services', 'jwt-provider'].flatMap(listed),
    '/v1/connect/intentions',
    '/v1/connect/intentions/match?by=destination&name=web',
    '/v1/connect/intentions/match?by=source&name=api',
    '/v1/connect/intentions/check?source=api&destination=web',
    '/v1/discovery-chain/web',
    '/v1/catalog/gateway-services/out',
    '/v1/catalog/gateway-services/in',
    '/v1/coordinate/nodes',
    '/v1/operator/autopilot/configuration',
    '/v1/connect/ca/roots',
    '/v1/connect/ca/configuration',
    '/v1/namespaces',
    '/v1/internal/ui/services',
    '/v1/internal/ui/nodes',
    '/v1/internal/ui/service-topology/web?kind=',
    '/v1/health/service/web-proxy?merge-central-config',
    '/v1/health/service/web?near=n1',
  ];
  const listed = (kind: string) => [`/v1/config/${kind}`];

  /** Every answer is one, or a clear refusal. */
  async function readEverything(server: RunningServer): Promise<void> {
    for (const url of urls()) {
      try {
        await server.get(url);
      } catch (error) {
        if (!(error instanceof AppError) || error.code === 'internal') throw new Error(url, { cause: error });
      }
    }
  }

  async function servesTheRest(server: RunningServer): Promise<void> {
    const { json } = await server.get<object[]>('/v1/health/service/canary');
    expect(json).toHaveLength(1);
    expect((await server.get<object[]>('/v1/kv/canary')).json).toHaveLength(1);
    expect((await server.call('PUT', '/v1/kv/canary', { body: 'x' })).json).toBe(true);
  }

  const isCanary = ({ rest }: Entry) =>
    rest === 'node/other' || rest.includes('canary') || rest.startsWith('node/server-') || rest.includes('/server-1');

  async function seeded(entries: readonly Entry[]): Promise<Store> {
    const store = openMemoryStore();
    await putRaw(store, entries);
    return store;
  }

  it('can be of every kind that there is', () => {
    const kinds = new Set(all.map(({ rest }) => rest.slice(0, rest.indexOf('/'))));
    expect([...kinds].sort()).toEqual([...KINDS, ...TABLES].sort());
  });

  it.each(WRONG)('all at once, each %j, keep no server from starting, and what is left is served', async (text) => {
    const heard = listening();
    const broken = all.filter((entry) => !isCanary(entry)).map(({ rest }) => ({ rest, value: Buffer.from(text) }));
    const store = await seeded([...all.filter(isCanary), ...broken]);
    const server = await RunningServer.start({ store, log: heard.log });
    await readEverything(server);
    await servesTheRest(server);
    expect(heard.keys.size).toBeGreaterThan(broken.length / 2);
    for (const line of heard.texts) expect(line).toMatch(/cannot be read: .|damaged index line/);
    await server.stop();
  });

  it('each in turn, that come while the server runs, leave the others served, and are read again once they are mended', async () => {
    const { server, store } = lmdb;
    for (const { rest, value } of all) {
      for (const text of ['{}', 'null', '[', '[{}]']) {
        await putRaw(store, [{ rest, value: Buffer.from(text) }]);
        await eventually(() => told.keys.has(rest) || text === '{}' || text === '[{}]', {
          withinMs: 20_000,
          everyMs: 1,
        });
        await readEverything(server);
      }
      await putRaw(store, [{ rest, value }]);
      if (!isCanary({ rest, value })) await servesTheRest(server);
    }
    const again = await lmdb.restart();
    await readEverything(again);
    await servesTheRest(again);
  });

  it(
    'changed in any way, are served or refused at a start and on a watch, and a restore says the same',
    async () => {
      const choice = fc.record({ which: fc.nat(10_000), mutation: mutations });
      await fc.assert(
        fc.asyncProperty(choice, ({ which, mutation }) => onceMutated(which, mutation)),
        { numRuns: RUNS },
      );
    },
    60_000 + RUNS * 500,
  );

  async function onceMutated(which: number, mutation: Mutation): Promise<void> {
    const texts = all.filter((entry) => !isCanary(entry) && !entry.rest.startsWith('kv/'));
    const { rest, value } = texts[which % texts.length]!;
    const wrong = { rest, value: Buffer.from(mutated(value.toString(), mutation)) };
    const others = all.filter((entry) => entry.rest !== rest);
    const starts = listening();
    const starting = await RunningServer.start({ store: await seeded([...others, wrong]), log: starts.log });
    await readEverything(starting);
    await servesTheRest(starting);
    await starting.stop();
    const watches = listening();
    const store = await seeded(all);
    const watching = await RunningServer.start({ store, log: watches.log });
    await putRaw(store, [wrong]);
    await servesTheRest(watching);
    await readEverything(watching);
    expect([...watches.keys]).toEqual([...starts.keys]);
    const answer = await watching.restore(await archiveOf([...others, wrong]));
    if (starts.keys.size === 0) expect(answer.text ?? '').toBe('');
    else expect([answer.status, answer.text]).toEqual([500, expect.stringContaining(rest)]);
    await readEverything(watching);
    await servesTheRest(watching);
    await watching.stop();
  }
});

async function archiveOf(entries: readonly Entry[]): Promise<Buffer> {
  const stored = entries.map(({ rest, value }) => ({ key: rest, value, createRevision: 5, modRevision: 6 }));
  stored.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
  const meta = { Version: 1, ID: 'x', Index: 7, Term: 1, Lictor: { Format: 2, Datacenter: 'dc1' } };
  return gzipSync(await collect(writeArchive(meta, () => writeSnapshot(7, [stored]), 0)));
}
