import { type Clock, FakeClock, type Timer } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { FakeCatalog } from '../../test/support/fake-catalog.ts';
import type { Lease, LeaseApi } from '../kube-api/kube-api.ts';
import { LeaderElector } from './leader-elector.ts';
import type { Leadership } from './leadership.ts';

/** One lease with optimistic locking. */
class FakeLeases implements LeaseApi {
  lease: Lease | undefined;
  failing = false;
  /** Updates are not answered before their signal aborts. */
  hanging = false;
  #version = 0;

  async getLease(): Promise<Lease | undefined> {
    this.#admit();
    return structuredClone(this.lease);
  }
  async createLease(lease: Lease): Promise<Lease> {
    this.#admit();
    if (this.lease) throw new AppError('conflict', 'exists');
    return this.#store(lease);
  }
  async updateLease(lease: Lease, signal?: AbortSignal): Promise<Lease> {
    this.#admit();
    if (this.hanging) await new Promise((_, reject) => signal?.addEventListener('abort', reject));
    if (lease.metadata.resourceVersion !== this.lease?.metadata.resourceVersion)
      throw new AppError('conflict', 'changed');
    return this.#store(lease);
  }
  #admit(): void {
    if (this.failing) throw new AppError('unavailable', 'no API server');
  }
  #store(lease: Lease): Lease {
    this.lease = structuredClone({
      ...lease,
      metadata: { ...lease.metadata, resourceVersion: String(++this.#version) },
    });
    return structuredClone(this.lease);
  }
}

const leases = () => new FakeLeases();

/** A clock whose monotonic time runs ahead of its timers, as for a process that was stopped and has just continued. */
class PausedClock implements Clock {
  pausedMs = 0;
  readonly #clock: FakeClock;
  constructor(clock: FakeClock) {
    this.#clock = clock;
  }
  now(): number {
    return this.#clock.now() + this.pausedMs;
  }
  monotonic(): number {
    return this.#clock.monotonic() + this.pausedMs;
  }
  after(ms: number, fn: () => void): Timer {
    return this.#clock.after(ms, fn);
  }
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#clock.sleep(ms, signal);
  }
  advance(ms: number): Promise<void> {
    return this.#clock.advance(ms);
  }
}

function elector(
  clock: Clock & Pick<FakeClock, 'advance'>,
  shared: FakeLeases,
  catalog: FakeCatalog,
  identity: string,
) {
  const terms: { leadership: Leadership; signal: AbortSignal }[] = [];
  const one = new LeaderElector(
    {
      leases: shared,
      catalog,
      clock,
      log: silentLogger,
      metrics: new Metrics(),
      lead: (leadership, signal) => {
        terms.push({ leadership, signal });
        return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      },
    },
    { lease: { namespace: 'default', name: 'l' }, identity, owner: 'kubernetes/test' },
  );
  const stop = new AbortController();
  const done = one.run({ signal: stop.signal, ready: () => {} });
  return {
    one,
    terms,
    async stop() {
      stop.abort();
      await clock.advance(0);
      await done;
    },
  };
}

describe('leader election', () => {
  it('lets one lead and the other stand by; the lease names holder and epoch', async () => {
    const [clock, shared, catalog] = [new FakeClock(), leases(), new FakeCatalog()];
    catalog.epochs.set('kubernetes/test', 7);
    const a = elector(clock, shared, catalog, 'a');
    await clock.advance(10);
    const b = elector(clock, shared, catalog, 'b');
    await clock.advance(60_000);
    expect([a.one.leading, b.one.leading]).toEqual([true, false]);
    expect(shared.lease!.spec).toMatchObject({ holderIdentity: 'a', leaseTransitions: 8 });
    expect(catalog.epochs.get('kubernetes/test')).toBe(8);
    await a.stop();
    await b.stop();
  });

  it('hands over at once when the leader stops in order', async () => {
    const [clock, shared, catalog] = [new FakeClock(), leases(), new FakeCatalog()];
    const a = elector(clock, shared, catalog, 'a');
    await clock.advance(10);
    const b = elector(clock, shared, catalog, 'b');
    await clock.advance(5_000);
    await a.stop();
    await clock.advance(2_000);
    expect(b.terms.map(({ leadership }) => leadership.epoch)).toEqual([2]);
    await b.stop();
  });

  it('stops in order also when the API server does not answer, and lets the lease run out then', async () => {
    const [clock, shared, catalog] = [new FakeClock(), leases(), new FakeCatalog()];
    const a = elector(clock, shared, catalog, 'a');
    await clock.advance(10);
    shared.hanging = true;
    let stopped = false;
    const stopping = a.stop().then(() => {
      stopped = true;
    });
    await clock.advance(3_000);
    expect([stopped, a.one.leading]).toEqual([true, false]);
    await stopping;
  });

  it('stops the leader before others may start, when the API server is away', async () => {
    const [clock, shared, catalog] = [new FakeClock(), leases(), new FakeCatalog()];
    const a = elector(clock, shared, catalog, 'a');
    await clock.advance(4_100);
    const [{ leadership, signal }] = a.terms as [(typeof a.terms)[0]];
    leadership.check();
    shared.failing = true;
    await clock.advance(9_000);
    leadership.check();
    expect(signal.aborted).toBe(false);
    await clock.advance(2_000);
    expect(signal.aborted).toBe(true);
    expect(() => leadership.check()).toThrow(expect.objectContaining({ code: 'staleEpoch' }));
    shared.failing = false;
    await clock.advance(5_000);
    expect(a.terms.map((term) => term.leadership.epoch)).toEqual([1, 2]);
    await a.stop();
  });

  it('refuses the first write of a leader that was paused for longer than its lease', async () => {
    const [clock, shared, catalog] = [new FakeClock(), leases(), new FakeCatalog()];
    const paused = new PausedClock(clock);
    const a = elector(paused, shared, catalog, 'a');
    await clock.advance(10);
    const { leadership } = a.terms[0]!;
    leadership.check();
    paused.pausedMs = 30_000; // SIGSTOP: no timer has fired yet, but the monotonic clock went on
    expect(() => leadership.check()).toThrow(/not renewed in time/);
    await clock.advance(0);
    expect(a.terms[0]!.signal.aborted).toBe(true);
    await a.stop();
  });

  it('gives up the term when a server says that another has a higher epoch', async () => {
    const [clock, shared, catalog] = [new FakeClock(), leases(), new FakeCatalog()];
    const a = elector(clock, shared, catalog, 'a');
    await clock.advance(10);
    catalog.epochs.set('kubernetes/test', 40);
    a.terms[0]!.leadership.lost('epoch 1 is below 40');
    await clock.advance(3_000);
    expect(a.terms.map(({ leadership }) => leadership.epoch)).toEqual([1, 41]);
    await a.stop();
  });

  it('does not lead while the servers cannot be asked for the epoch', async () => {
    const [clock, shared, catalog] = [new FakeClock(), leases(), new FakeCatalog()];
    catalog.failing = () => new AppError('unavailable', 'no server');
    const a = elector(clock, shared, catalog, 'a');
    await clock.advance(20_000);
    expect(a.terms).toEqual([]);
    expect(shared.lease).toBeUndefined();
    catalog.failing = undefined;
    await clock.advance(3_000);
    expect(a.terms).toHaveLength(1);
    await a.stop();
  });
});
