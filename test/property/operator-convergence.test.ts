import fc from 'fast-check';
import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { SeededRandom } from '../../core/random.ts';
import type { HealthCheck, Intention, Service } from '../../crds/types/index.ts';
import { composeOperator } from '../../operator/composition.ts';
import { planIntention } from '../../operator/controllers/intention/plan-intention.ts';
import { planRegistrations } from '../../operator/controllers/service/plan-registrations.ts';
import type { ShownEntry } from '../../operator/intention-client/intention-client.ts';
import { entryDigest } from '../../operator/intention-mirror/entry-digest.ts';
import { HttpKubeApi } from '../../operator/kube-api/http-kube-api.ts';
import { staticAuth } from '../../operator/kube-api/static-auth.ts';
import { selects } from '../../operator/workloads/label-selector.ts';
import { stripPod } from '../../operator/workloads/pod.ts';
import { eventually } from '../support/eventually.ts';
import { FakeCatalog } from '../support/fake-catalog.ts';
import { FakeKubeApi } from '../support/fake-kube-api.ts';
import { FlakyIntentions } from '../support/flaky-intentions.ts';
import { RunningServer } from '../support/running-server.ts';

/** One thing that happens to the cluster, the links or the operator. */
type Step =
  | { do: 'put pod'; name: number; app: number; ready: boolean; reborn: boolean; terminating: boolean }
  | { do: 'remove pod'; name: number }
  | { do: 'put service'; name: number; app: number; port: number; as: number }
  | { do: 'remove service'; name: number }
  | { do: 'put check'; name: number; of: number; interval: number }
  | { do: 'remove check'; name: number }
  | { do: 'put intention'; name: number; to: number; action: number }
  | { do: 'remove intention'; name: number }
  /** Somebody writes an entry at the servers, takes it away, or edits one, whoever made it. */
  | { do: 'put entry' | 'remove entry' | 'edit entry'; to: number }
  | { do: 'fail intentions'; count: number }
  | { do: 'cut' | 'cut in a line' | 'drop' | 'compact' | 'lag' | 'catch up' | 'cut catalog' | 'restart' | 'breathe' }
  | { do: 'fail'; count: number }
  /** The API server cannot be reached; afterwards its history is gone. */
  | { do: 'gap'; on: boolean }
  | { do: 'replay' | 'duplicate' | 'split'; on: boolean };

const small = fc.integer({ min: 0, max: 3 });
/** So few destinations that their Intentions and hand-written entries meet. */
const pair = fc.integer({ min: 0, max: 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('put pod' as const),
      name: small,
      app: small,
      ready: fc.boolean(),
      reborn: fc.boolean(),
      terminating: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('remove pod' as const), name: small }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('put service' as const),
      name: small,
      app: small,
      port: fc.integer({ min: 1, max: 3 }),
      as: small,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove service' as const), name: small }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('put check' as const),
      name: small,
      of: small,
      interval: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove check' as const), name: small }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('put intention' as const), name: small, to: pair, action: small }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove intention' as const), name: small }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom('put entry' as const, 'remove entry', 'edit entry'), to: pair }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fail intentions' as const), count: small }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'cut',
        'cut in a line',
        'drop',
        'compact',
        'lag',
        'catch up',
        'cut catalog',
        'restart',
        'breathe',
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fail' as const), count: small }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('replay' as const, 'duplicate' as const, 'split' as const, 'gap' as const),
      on: fc.boolean(),
    }),
  },
);

/** An entry as it is shown, in whole. */
type HandEdited = ShownEntry & { Kind: string; CreateIndex?: number; Hash?: string };

/** Pauses let what has happened so far arrive; without one, several things happen at once. */
const paced = fc.record({ step, pauseMs: fc.constantFrom(0, 0, 2, 15) });

const clock = new SystemClock();

/** A cluster with its operator, and what is done to them. */
class World {
  readonly catalog = new FakeCatalog();
  readonly kube: FakeKubeApi;
  readonly server: RunningServer;
  readonly link: FlakyIntentions;
  /** Digests of the entries that somebody else wrote, by their destinations. */
  readonly #foreign = new Map<string, string>();
  #stop: () => Promise<void> = async () => {};
  #births = 0;

  constructor(kube: FakeKubeApi, server: RunningServer) {
    this.kube = kube;
    this.server = server;
    this.link = new FlakyIntentions(server.composed.intentionClient);
  }

  start(): void {
    const random = new SeededRandom(7);
    const api = new HttpKubeApi({ auth: staticAuth(this.kube.url), clock, random });
    const { runnable } = composeOperator(
      {
        owner: 'kubernetes/test',
        identity: 'one',
        leaseNamespace: 'default',
        leaseName: 'l',
        leaseMs: 15_000,
        leaderElect: false,
        externalNode: 'external',
        namespaces: 'single',
        maxSweepShare: 1,
        watchNamespaces: [],
        workers: 3,
      },
      { api, catalog: this.catalog, intentions: this.link, clock, random, log: silentLogger, metrics: new Metrics() },
    );
    const abort = new AbortController();
    const done = runnable.run({ signal: abort.signal, ready: () => {} });
    this.#stop = async () => {
      abort.abort();
      await done;
      await api.close();
    };
  }

  stop(): Promise<void> {
    return this.#stop();
  }

  async apply(what: Step): Promise<void> {
    const { kube } = this;
    switch (what.do) {
      case 'put pod': {
        const name = `pod-${what.name}`;
        const known = kube.get('pods', `default/${name}`);
        if (known && what.reborn) kube.remove('pods', `default/${name}`);
        const uid = known && !what.reborn ? known.metadata.uid : `uid-${what.name}-${++this.#births}`;
        const deletionTimestamp = what.terminating ? '2026-01-01T00:00:00Z' : undefined;
        kube.put('pods', {
          metadata: { name, uid, deletionTimestamp, labels: { app: `app-${what.app}` } },
          spec: { nodeName: `n${what.name % 2}`, containers: [{ name: 'c' }] },
          status: {
            phase: 'Running',
            podIP: `10.0.0.${what.name}`,
            conditions: [{ type: 'Ready', status: what.ready ? 'True' : 'False' }],
          },
        });
        return;
      }
      case 'remove pod':
        kube.remove('pods', `default/pod-${what.name}`);
        return;
      case 'put service': {
        const name = `service-${what.name}`;
        const creationTimestamp = `2026-01-0${what.name + 1}T00:00:00Z`;
        kube.put('services', {
          apiVersion: 'lictor.dev/v1alpha1',
          kind: 'Service',
          metadata: { name, creationTimestamp },
          spec: {
            serviceName: `name-${what.as}`,
            selector: { matchLabels: { app: `app-${what.app}` } },
            ports: [{ name: 'http', port: 8000 + what.port }],
          },
        });
        return;
      }
      case 'remove service':
        kube.remove('services', `default/service-${what.name}`);
        return;
      case 'put check':
        kube.put('healthchecks', {
          apiVersion: 'lictor.dev/v1alpha1',
          kind: 'HealthCheck',
          metadata: { name: `check-${what.name}` },
          spec: { serviceRef: { name: `service-${what.of}` }, tcp: {}, interval: `${what.interval}s` },
        });
        return;
      case 'remove check':
        kube.remove('healthchecks', `default/check-${what.name}`);
        return;
      case 'put intention':
        kube.put('intentions', {
          apiVersion: 'lictor.dev/v1alpha1',
          kind: 'Intention',
          metadata: { name: `intention-${what.name}`, creationTimestamp: `2026-01-0${what.name + 1}T00:00:00Z` },
          spec: {
            destination: { service: `name-${what.to}` },
            sources: [{ service: `source-${what.action}`, action: what.action % 2 === 0 ? 'allow' : 'deny' }],
          },
        });
        return;
      case 'remove intention':
        kube.remove('intentions', `default/intention-${what.name}`);
        return;
      case 'put entry':
      case 'remove entry':
      case 'edit entry':
        await this.#touchEntry(what.do, `name-${what.to}`);
        return;
      case 'fail intentions':
        this.link.failures = what.count;
        return;
      case 'cut':
      case 'cut in a line':
        kube.cutWatches({ midLine: what.do === 'cut in a line' });
        return;
      case 'drop':
        kube.dropConnections();
        return;
      case 'compact':
        if (kube.faults.listAt === 0) kube.compact();
        return;
      case 'lag':
        kube.faults.listAt = Math.max(kube.version - 3, 101);
        return;
      case 'catch up':
        kube.faults.listAt = 0;
        return;
      case 'cut catalog':
        this.catalog.cutStreams();
        return;
      case 'restart':
        await this.stop();
        this.start();
        return;
      case 'breathe':
        await clock.sleep(25);
        return;
      case 'fail':
        if (kube.faults.fail.count < 1_000) kube.faults.fail = { count: what.count, status: 500 };
        return;
      case 'gap':
        if (what.on === kube.faults.fail.count > 1_000) return;
        kube.faults.fail = { count: what.on ? 1e9 : 0, status: 503 };
        if (what.on) kube.dropConnections();
        else kube.compact();
        return;
      case 'replay':
        kube.faults.replayOld = what.on;
        return;
      case 'duplicate':
        kube.faults.duplicate = what.on;
        return;
      case 'split':
        kube.faults.splitBytes = what.on;
        return;
    }
  }

  /** What somebody does at the servers, past the operator. */
  async #touchEntry(how: 'put entry' | 'remove entry' | 'edit entry', destination: string): Promise<void> {
    const client = this.server.composed.intentionClient;
    const shown = (await client.read(destination)) as HandEdited | undefined;
    if (how === 'put entry') {
      const Sources = [{ Name: 'by-hand', Type: 'consul', Action: 'deny' }];
      const entry = { Kind: 'service-intentions', Name: destination, Sources };
      await this.server.call('PUT', '/v1/config', { body: entry });
      this.#foreign.set(destination, entryDigest(entry));
    } else if (shown && how === 'remove entry') {
      if (await client.delete(destination, shown.ModifyIndex)) this.#foreign.delete(destination);
    } else if (shown) {
      const { CreateIndex: _, ModifyIndex: __, Hash: ___, ...rest } = shown;
      const entry = { ...rest, Sources: [{ Name: 'edited', Type: 'consul', Action: 'allow' }] };
      const done = await client.put(entry, shown.ModifyIndex);
      if (done && this.#foreign.has(destination)) this.#foreign.set(destination, entryDigest(entry));
    }
  }

  /** Name and digest of each service-intentions entry at the servers. */
  async actualEntries(): Promise<string[]> {
    const list = { index: 0, waitMs: 0 };
    const { entries } = await this.server.composed.intentionClient.list(list, new AbortController().signal);
    return entries.map((entry) => `${entry.Name} ${entryDigest(entry)}`).sort();
  }

  /** The same computed from the Intentions and from what somebody else wrote. */
  expectedEntries(): string[] {
    const intentions = this.kube.list('intentions') as unknown as Intention[];
    const oldestFirst = intentions.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    const digests = new Map(this.#foreign);
    for (const one of oldestFirst) {
      const { service } = one.spec.destination;
      if (!digests.has(service)) digests.set(service, planIntention(one, 'kubernetes/test').digest);
    }
    return [...digests].map(([name, digest]) => `${name} ${digest}`).sort();
  }

  heal(): void {
    this.link.failures = 0;
    Object.assign(this.kube.faults, { listAt: 0, replayOld: false, duplicate: false, splitBytes: false });
    if (this.kube.faults.fail.count > 1_000) this.kube.compact();
    this.kube.faults.fail.count = 0;
  }

  /** Key and digest of each instance as the catalog has it. */
  actual(): string[] {
    return [...this.catalog.instances].map(([key, { owned }]) => `${key} ${owned.Hash} ${owned.Ref}`).sort();
  }

  /** The same computed from the objects alone. */
  expected(): string[] {
    const services = this.kube.list('services') as unknown as Service[];
    const pods = this.kube.list('pods').map((pod) => stripPod(pod));
    const checks = (this.kube.list('healthchecks') as unknown as HealthCheck[]).sort((a, b) =>
      a.metadata.name < b.metadata.name ? -1 : 1,
    );
    const holders = services.filter(
      (service) =>
        !services.some(
          (other) =>
            other.spec.serviceName === service.spec.serviceName &&
            other.metadata.creationTimestamp! < service.metadata.creationTimestamp!,
        ),
    );
    return holders
      .flatMap((service) => {
        const { instances } = planRegistrations(
          {
            service,
            pods: pods.filter((pod) => selects(service.spec.selector!, pod.metadata.labels)),
            slices: [],
            healthChecks: checks.filter(({ spec }) => spec.serviceRef.name === service.metadata.name),
            hostAddress: () => '',
          },
          { namespace: 'default', externalNode: 'external' },
        );
        return instances.map(({ key, hash }) => `${key} ${hash} Service/default/${service.metadata.name}`);
      })
      .sort();
  }
}

describe('operator under random events', () => {
  it('ends with what a computation from scratch gives, whatever order, loss and repetition', async () => {
    const runs = Number(process.env.LICTOR_PROPERTY_RUNS ?? 12);
    await fc.assert(
      fc.asyncProperty(fc.array(paced, { minLength: 5, maxLength: 60 }), fc.boolean(), async (steps, replayOld) => {
        const world = new World(await FakeKubeApi.start({ bookmarkMs: 20 }), await RunningServer.start());
        try {
          world.start();
          await eventually(() => world.kube.openWatches === 5, { withinMs: 10_000, everyMs: 2 });
          world.kube.faults.replayOld = replayOld;
          for (const each of steps) {
            await world.apply(each.step);
            if (each.pauseMs > 0) await clock.sleep(each.pauseMs);
          }
          world.heal();
          await eventually(() => expect(world.actual()).toEqual(world.expected()), { withinMs: 20_000, everyMs: 10 });
          await eventually(async () => expect(await world.actualEntries()).toEqual(world.expectedEntries()), {
            withinMs: 20_000,
            everyMs: 10,
          });
          // The statuses follow: each Service counts its own instances.
          await eventually(
            () => {
              for (const service of world.kube.list('services')) {
                const own = world
                  .expected()
                  .filter((line) => line.endsWith(`Service/default/${service.metadata.name}`));
                expect([service.metadata.name, service.status?.total]).toEqual([service.metadata.name, own.length]);
              }
            },
            { withinMs: 20_000, everyMs: 20 },
          );
        } finally {
          await world.stop();
          await world.kube.stop();
          await world.server.stop();
        }
      }),
      { numRuns: runs, endOnFailure: true },
    );
  }, 300_000);
});
