import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OwnedEvent } from '../../../api/shapes/owned.ts';
import type { Deregistration, WriterIdentity } from '../../../api/shapes/registration.ts';
import { SystemClock } from '../../../core/clock.ts';
import { AppError } from '../../../core/errors.ts';
import { silentLogger } from '../../../core/log.ts';
import { Metrics } from '../../../core/metrics.ts';
import { SeededRandom } from '../../../core/random.ts';
import type { Service } from '../../../crds/types/index.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { RunningServer } from '../../../test/support/running-server.ts';
import type { CatalogClient } from '../../catalog-client/catalog-client.ts';
import { composeFileOperator, type FileOperator } from '../../file-composition.ts';

/** A server's catalog that notes what is sent and told, can keep each of it on its way, and refuse what an object declares. */
class WatchedCatalog implements CatalogClient {
  readonly told: string[] = [];
  readonly removals: string[] = [];
  answered = 0;
  registered = 0;
  refusing: string | undefined;
  hold: Promise<void> | undefined;
  holdRegistered: Promise<void> | undefined;
  holdTold: Promise<void> | undefined;
  readonly #client: CatalogClient;

  constructor(client: CatalogClient) {
    this.#client = client;
  }
  ownerState: CatalogClient['ownerState'] = (owner) => this.#client.ownerState(owner);
  claimEpoch: CatalogClient['claimEpoch'] = (state) => this.#client.claimEpoch(state);

  register: CatalogClient['register'] = async (registration, writer) => {
    if (writer.ref === this.refusing) throw new AppError('badRequest', 'refused');
    await this.#client.register(registration, writer);
    this.registered++;
    await this.holdRegistered;
  };
  async deregister(target: Deregistration, writer: WriterIdentity): Promise<void> {
    this.removals.push(`${target.ServiceID} ${writer.ref}`);
    await this.hold;
    await this.#client.deregister(target, writer).finally(() => this.answered++);
  }
  async *followOwned(owner: string, signal: AbortSignal): AsyncGenerator<OwnedEvent> {
    for await (const event of this.#client.followOwned(owner, signal)) {
      if (event.Type === 'upsert') this.told.push(`${event.Instance.ServiceID} ${event.Instance.Ref}`);
      if (event.Type === 'delete') this.told.push(`${event.ServiceID} deleted`);
      if (event.Type === 'upsert') await this.holdTold;
      yield event;
    }
  }
}

const clock = new SystemClock();
let folder: string;
let server: RunningServer;
let catalog: WatchedCatalog;
let operator: FileOperator;
let metrics: Metrics;
let stop: AbortController;
let running: Promise<void>;

const file = (name: string) => join(folder, `${name}.yaml`);
const declare = (name: string, serviceName: string, id: string) =>
  writeFile(
    file(name),
    `
apiVersion: lictor.dev/v1alpha1
kind: Service
metadata: {name: ${name}}
spec: {serviceName: ${serviceName}, instances: [{id: ${id}, address: 10.0.0.1, port: 80}]}
`,
  );
/** Half of what an acknowledged write waits for its echo: what takes longer was lost meanwhile. */
const soon = (check: () => unknown) => eventually(async () => void (await check()), { withinMs: 8_000, everyMs: 5 });
const reason = (name: string) =>
  (operator.manifests.get('Service', `default/${name}`) as Service | undefined)?.status?.conditions?.[0]?.reason;
const addresses = async (service: string) => {
  const { json } = await server.get<{ Service: { ID: string } }[]>(`/v1/health/service/${service}`);
  return json.map((entry) => entry.Service.ID);
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lictor-takeover-'));
  server = await RunningServer.start();
  catalog = new WatchedCatalog(server.composed.catalogClient);
  metrics = new Metrics();
  operator = composeFileOperator({
    folder,
    catalogClient: catalog,
    intentionClient: server.composed.intentionClient,
    externalNode: 'dev',
    clock,
    random: new SeededRandom(1),
    log: silentLogger,
    metrics,
  });
  stop = new AbortController();
  running = operator.runnable.run({ signal: stop.signal, ready: () => {} });
  running.catch(() => {});
});
afterEach(async () => {
  stop.abort();
  await running.catch(() => {});
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('a Service that takes over an instance', () => {
  it('keeps it when the removal of the one before arrives after its registration', async () => {
    await declare('a', 'shop', 'one');
    await soon(() => expect(catalog.told).toEqual(['one Service/default/a']));
    const removal = Promise.withResolvers<void>();
    catalog.hold = removal.promise;
    await rm(file('a'));
    await soon(() => expect(catalog.removals).toEqual(['one Service/default/a']));
    await declare('b', 'shop', 'one');
    await soon(() => expect(catalog.told.at(-1)).toBe('one Service/default/b'));
    removal.resolve();
    await soon(() => expect(catalog.answered).toBe(1));
    await soon(() => expect(reason('b')).toBe('Registered'));
    expect(await addresses('shop')).toEqual(['one']);
    expect(catalog.told).toEqual(['one Service/default/a', 'one Service/default/b']);
  });

  it('writes over it: nobody removes it before', async () => {
    await declare('a', 'shop', 'one');
    await declare('b', 'shop', 'one');
    await soon(() => expect([reason('a'), reason('b')]).toEqual(['Registered', 'NameTaken']));
    await rm(file('a'));
    await soon(() => expect(reason('b')).toBe('Registered'));
    expect(catalog.told).toEqual(['one Service/default/a', 'one Service/default/b']);
    expect(catalog.removals).toEqual([]);
  });

  it('does so under another name, too, by the id that it gives', async () => {
    await declare('a', 'shop', 'one');
    await soon(() => expect(reason('a')).toBe('Registered'));
    await declare('b', 'store', 'one');
    await soon(() => expect(reason('b')).toBe('InstanceIdTaken'));
    await rm(file('a'));
    await soon(() => expect(reason('b')).toBe('Registered'));
    expect(await addresses('store')).toEqual(['one']);
    expect(await addresses('shop')).toEqual([]);
    expect(catalog.removals).toEqual([]);
  });

  it('is not waited for once the servers have refused it', async () => {
    catalog.refusing = 'Service/default/b';
    await declare('a', 'shop', 'one');
    await soon(() => expect(reason('a')).toBe('Registered'));
    await declare('b', 'shop', 'one');
    await soon(() => expect(reason('b')).toBe('NameTaken'));
    await rm(file('a'));
    await soon(() => expect(reason('b')).toBe('Refused'));
    await eventually(async () => expect(await addresses('shop')).toEqual([]), { withinMs: 20_000, everyMs: 5 });
    expect(catalog.removals).toEqual(['one Service/default/a']);
  });
});

describe('a Service that is deleted', () => {
  const COUNT = 12; // more than may always go, and more than half of all
  const instances = Array.from({ length: COUNT }, (_, at) => `{id: web-${at}, address: 10.0.1.${at}, port: 80}`);

  beforeEach(async () => {
    for (const name of ['a', 'b']) await declare(name, name, name);
    await soon(() => expect([reason('a'), reason('b')]).toEqual(['Registered', 'Registered']));
  });

  const declareMany = () =>
    writeFile(
      file('web'),
      `{apiVersion: lictor.dev/v1alpha1, kind: Service, metadata: {name: web}, spec: {instances: [${instances.join(', ')}]}}`,
    );
  /** How many reconciles of Services have ended. */
  const reconciles = async () => {
    const text = await metrics.text();
    const found = [...text.matchAll(/^lictor_operator_reconcile_seconds_count\{.*kind="Service".*\} (\d+)$/gm)];
    return found.reduce((sum, [, count]) => sum + Number(count), 0);
  };
  const remove = async () => {
    await rm(file('web'));
    await soon(() => expect(operator.manifests.get('Service', 'default/web')).toBeUndefined());
  };

  it('takes its instances with it, though the catalog has not shown them yet', async () => {
    const told = Promise.withResolvers<void>();
    catalog.holdTold = told.promise;
    await declareMany();
    await soon(() => expect(catalog.registered).toBe(2 + COUNT));
    const before = await reconciles();
    await remove();
    await soon(async () => expect(await reconciles()).toBeGreaterThan(before));
    told.resolve();
    await soon(async () => expect(await addresses('web')).toEqual([]));
    expect(operator.heldSweeps()).toEqual([]);
  });

  it('does so, too, while they are being registered', async () => {
    const registered = Promise.withResolvers<void>();
    catalog.holdRegistered = registered.promise;
    await declareMany();
    await soon(() => expect(catalog.registered).toBe(2 + COUNT));
    await remove();
    registered.resolve();
    await soon(async () => expect(await addresses('web')).toEqual([]));
    expect(operator.heldSweeps()).toEqual([]);
  });
});
