import { FakeClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import type { Leadership } from '../leadership/leadership.ts';
import { whileLeading } from '../leadership/while-leading.ts';
import { SessionKeeper, type SessionKeeperDeps } from './session-keeper.ts';
import { SessionTable } from './session-table.ts';

const ID = 'aaaaaaaa-0000-4000-8000-000000000001';
const CONTENT = {
  Name: '',
  Node: 'n1',
  LockDelay: 0,
  Behavior: 'release',
  TTL: '10s',
  NodeChecks: [],
  ServiceChecks: null,
};

/** A keeper beside a store that takes no writes, and who leads as the test says it. */
function started() {
  const clock = new FakeClock();
  const table = new SessionTable({ clock, holdings: { letGo: () => {}, forget: () => {}, settle: () => {} } });
  const listeners = new Set<(changes: { nodes: { key: string }[] }, index: number) => void>();
  const state = {
    applied: 5,
    onReset: () => () => {},
    onChanges: (listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    node: () => ({ key: 'n1', checks: new Map() }),
  };
  const tries: string[] = [];
  const sweep = { removal: Promise.resolve(0) };
  const writer = {
    end: async (id: string) => {
      tries.push(id);
      throw new Error('no quorum');
    },
    cleanUp: async () => {},
    removeOldDelays: (): Promise<number> => sweep.removal,
  };
  const deps = { state, table, writer, clock, log: silentLogger, metrics: new Metrics() };
  const keeper = new SessionKeeper(deps as unknown as SessionKeeperDeps);
  let leads = true;
  const leadership = { leads: () => leads, changed: (ms: number) => clock.sleep(ms) } as unknown as Leadership;
  const stop = new AbortController();
  const done = whileLeading(leadership, keeper).run({ signal: stop.signal, ready: () => {} });
  const value = Buffer.from(JSON.stringify({ id: ID, namespace: 'default', content: CONTENT }));
  const context = { index: 5, base: 1, loading: false, bump: () => {} };
  table.put(ID, { key: `session/${ID}`, value, createRevision: 4, modRevision: 4 }, context);
  return {
    clock,
    table,
    tries,
    sweep,
    change: (index: number) => {
      state.applied = index;
      for (const listener of [...listeners]) listener({ nodes: [] }, index);
    },
    setLeads: async (to: boolean) => {
      leads = to;
      await clock.advance(1000);
    },
    stop: async () => {
      stop.abort();
      await clock.advance(1000);
      await done;
    },
  };
}

describe('the keeper of sessions', () => {
  it('ends none while another server leads, and gives all their full time when it leads again', async () => {
    const { clock, table, tries, setLeads, stop } = started();
    await clock.advance(15_000);
    await setLeads(false);
    await clock.advance(600_000);
    expect([tries, table.find(ID) !== undefined]).toEqual([[], true]);
    await setLeads(true);
    await clock.advance(18_000);
    expect(tries).toEqual([]);
    await clock.advance(2_000);
    expect(tries[0]).toBe(ID);
    expect(table.find(ID)).toBeUndefined();
    await stop();
  });

  it('ends none by the deadlines of an earlier term, though a write of that one is still under way', async () => {
    const { clock, table, tries, sweep, setLeads, stop } = started();
    let finish: (count: number) => void = () => {};
    sweep.removal = new Promise((resolve) => {
      finish = resolve;
    });
    await clock.advance(10_000);
    await setLeads(false);
    // Another server hears of renewals meanwhile.
    await setLeads(true);
    await clock.advance(15_000);
    expect([tries, table.find(ID) !== undefined]).toEqual([[], true]);
    finish(0);
    await clock.advance(19_000);
    expect(tries).toEqual([]);
    await clock.advance(2_000);
    expect(tries[0]).toBe(ID);
    await stop();
  });

  it('lets go of ends that are not stored when its server loses the lead', async () => {
    const { clock, table, tries, change, setLeads, stop } = started();
    await clock.advance(22_000);
    expect(tries.length).toBeGreaterThan(0);
    expect(table.find(ID)).toBeUndefined();
    await setLeads(false);
    const before = tries.length;
    // The new leader's first write.
    change(6);
    expect(table.find(ID)).toBeDefined();
    await clock.advance(600_000);
    expect(tries).toHaveLength(before);
    await setLeads(true);
    await clock.advance(18_000);
    expect([tries.length, table.find(ID) !== undefined]).toEqual([before, true]);
    await stop();
  });
});
