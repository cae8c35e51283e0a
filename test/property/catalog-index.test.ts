import fc from 'fast-check';
import type { CheckStatus } from '../../api/shapes/catalog.ts';
import { AppError } from '../../core/errors.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import type { Store } from '../../store/store.ts';
import { API, RunningServer } from '../support/running-server.ts';

/** How many random histories; the nightly form asks for more. */
const RUNS = Number(process.env.PROPERTY_RUNS ?? 25);

type Step =
  | { kind: 'register'; node: number; service: number; id: number; tag: number; status: CheckStatus }
  | { kind: 'nodeCheck'; node: number; status: CheckStatus }
  | { kind: 'verdict'; node: number; id: number; status: CheckStatus }
  | { kind: 'deregister'; node: number; id: number }
  | { kind: 'deregisterCheck'; node: number; id: number }
  | { kind: 'deregisterNode'; node: number }
  | { kind: 'restart' };

const small = (max: number) => fc.integer({ min: 0, max });
const status = fc.constantFrom<CheckStatus>('passing', 'warning', 'critical');
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('register' as const),
      node: small(2),
      service: small(3),
      id: small(3),
      tag: small(2),
      status,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('nodeCheck' as const), node: small(2), status }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('verdict' as const), node: small(2), id: small(3), status }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('deregister' as const), node: small(2), id: small(3) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('deregisterCheck' as const), node: small(2), id: small(3) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('deregisterNode' as const), node: small(2) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
);

/** What writes to an empty catalog. */
const firstStep = step.filter((action) => action.kind === 'register');

const SERVICES = [0, 1, 2, 3];
const NODES = [0, 1, 2];
const URLS = [
  ...SERVICES.flatMap((n) => [`/v1/health/service/s${n}`, `/v1/catalog/service/s${n}`, `/v1/health/checks/s${n}`]),
  ...NODES.flatMap((n) => [`/v1/catalog/node/n${n}`, `/v1/health/node/n${n}`]),
  '/v1/catalog/services',
  '/v1/catalog/services?node-meta=zone:z0',
  '/v1/catalog/nodes',
  ...['any', 'passing', 'warning', 'critical'].map((state) => `/v1/health/state/${state}`),
];

async function perform(server: RunningServer, action: Step): Promise<void> {
  const { serverCatalog } = server.composed;
  if (action.kind === 'restart') return;
  const Node = `n${action.node}`;
  switch (action.kind) {
    case 'register': {
      const ID = `i${action.id}`;
      return server.register({
        Node,
        Address: `10.0.0.${action.node}`,
        NodeMeta: { zone: `z${action.tag % 2}` },
        Service: { ID, Service: `s${action.service}`, Tags: [`t${action.tag}`] },
        Check: { CheckID: `c${action.id}`, Name: 'c', Status: action.status, ServiceID: ID },
      });
    }
    case 'nodeCheck':
      return server.register({
        Node,
        SkipNodeUpdate: true,
        Check: { CheckID: 'node', Name: 'node', Status: action.status },
      });
    case 'verdict': {
      const Verdicts = [{ Namespace: 'default', CheckID: `c${action.id}`, Status: action.status, Output: '' }];
      return serverCatalog.report(Node, { HeartbeatMs: 60_000, Verdicts });
    }
    case 'deregister':
      return serverCatalog.deregister({ Node, ServiceID: `i${action.id}` }, API);
    case 'deregisterCheck':
      return serverCatalog.deregister({ Node, CheckID: `c${action.id}` }, API);
    case 'deregisterNode':
      return serverCatalog.deregister({ Node }, API);
  }
}

interface Seen {
  body: string;
  index: number;
}

async function look(server: RunningServer): Promise<Map<string, Seen>> {
  const seen = new Map<string, Seen>();
  for (const url of URLS) {
    const { json, index } = await server.get(url);
    seen.set(url, { body: JSON.stringify(json), index });
  }
  return seen;
}

/** Services that a step may touch: those of the node before and after it. */
function servicesOn(seen: Map<string, Seen>, node: number): Set<string> {
  const found = JSON.parse(seen.get(`/v1/catalog/node/n${node}`)!.body) as {
    Services: Record<string, { Service: string }>;
  } | null;
  return new Set(Object.values(found?.Services ?? {}).map((service) => service.Service));
}

function checkIndexes(before: Map<string, Seen>, after: Map<string, Seen>, action: Step): void {
  for (const url of URLS) {
    const was = before.get(url)!;
    const is = after.get(url)!;
    // The index never falls; and whoever waits with the old index wakes for every change.
    expect({ url, action, index: is.index }).toEqual({ url, action, index: Math.max(is.index, was.index) });
    if (is.body !== was.body && is.index <= was.index) throw new Error(`${url} changed without a new index`);
  }
}

function checkRules(before: Map<string, Seen>, after: Map<string, Seen>, action: Step): void {
  checkIndexes(before, after, action);
  if (action.kind === 'restart') {
    // What was kept up to date change by change is what loading it all gives.
    for (const url of URLS) expect({ url, body: after.get(url)!.body }).toEqual({ url, body: before.get(url)!.body });
    return;
  }
  const touched = new Set([...servicesOn(before, action.node), ...servicesOn(after, action.node)]);
  for (const n of SERVICES) {
    const url = `/v1/health/service/s${n}`;
    // A service without an instance on the node sleeps on.
    if (touched.has(`s${n}`)) continue;
    expect({ url, action, index: after.get(url)!.index }).toEqual({ url, action, index: before.get(url)!.index });
  }
  for (const n of NODES.filter((other) => other !== action.node)) {
    expect(after.get(`/v1/catalog/node/n${n}`)).toEqual(before.get(`/v1/catalog/node/n${n}`));
  }
}

async function runHistory(steps: readonly Step[], maxRemembered: number, rules: typeof checkRules): Promise<void> {
  const store: Store = openMemoryStore();
  let server = await RunningServer.start({ store, maxRemembered });
  try {
    let before = await look(server);
    for (const action of [...steps, { kind: 'restart' } as const]) {
      if (action.kind === 'restart') {
        await server.stop();
        server = await RunningServer.start({ store, maxRemembered });
      }
      await perform(server, action).catch((error: { code?: string }) => {
        if (error.code !== 'badRequest') throw error; // a check of an instance that is gone
      });
      const after = await look(server);
      rules(before, after, action);
      before = after;
    }
  } finally {
    await server.stop();
    await store.close();
  }
}

/** A store in memory that refuses writes while told to, so that a server shows the catalog before its first write. */
function refusingStore(): { store: Store; accept(): void } {
  const inner = openMemoryStore();
  let refuses = true;
  const store: Store = {
    traits: inner.traits,
    revision: () => inner.revision(),
    barrier: () => inner.barrier(),
    read: (range, at) => inner.read(range, at),
    view: () => inner.view(),
    watch: (range, after, signal) => inner.watch(range, after, signal),
    snapshot: (signal) => inner.snapshot(signal),
    restore: (chunks) => inner.restore(chunks),
    close: () => inner.close(),
    commit: async (txn) => {
      if (refuses) throw new AppError('storeReadOnly', 'not yet');
      return inner.commit(txn);
    },
  };
  return {
    store,
    accept: () => {
      refuses = false;
    },
  };
}

/** Performs an action as the first write to an empty catalog, then restarts. */
async function runFirstWrite(action: Step): Promise<void> {
  const { store, accept } = refusingStore();
  let server = await RunningServer.start({ store });
  try {
    const empty = await look(server);
    expect(new Set([...empty.values()].map(({ index }) => index))).toEqual(new Set([1]));
    accept();
    await perform(server, action);
    const written = await look(server);
    checkIndexes(empty, written, action);
    await server.stop();
    server = await RunningServer.start({ store });
    checkIndexes(written, await look(server), { kind: 'restart' });
  } finally {
    await server.stop();
    await store.close();
  }
}

describe('catalog indexes', () => {
  it('rise from the empty catalog to the first write, and do not fall with a restart', async () => {
    await fc.assert(
      fc.asyncProperty(firstStep, (action) => runFirstWrite(action)),
      { numRuns: RUNS },
    );
  }, 120_000);

  it('never fall, rise with every change of their data, and with nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), (steps) => runHistory(steps, 1000, checkRules)),
      { numRuns: RUNS },
    );
  }, 120_000);

  it('never fall and never miss a change when deleted things are forgotten early', async () => {
    // Forgetting early may wake more than is concerned, so only the first rules hold.
    const fallOnly: typeof checkRules = (before, after, action) => checkIndexes(before, after, action);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), (steps) => runHistory(steps, 1, fallOnly)),
      { numRuns: RUNS },
    );
  }, 120_000);
});
