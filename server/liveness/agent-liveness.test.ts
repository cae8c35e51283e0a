import type { HealthCheck } from '../../api/shapes/catalog.ts';
import { FakeClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { RunningServer } from '../../test/support/running-server.ts';
import { type CheckEntry, NodeEntry } from '../catalog/entries.ts';
import { AgentLiveness } from './agent-liveness.ts';

const NODE = { Node: 'n1', Address: '10.0.0.1' };

async function serfHealth(server: RunningServer): Promise<HealthCheck | undefined> {
  const { json } = await server.get<HealthCheck[]>('/v1/health/node/n1');
  return json.find((check) => check.CheckID === 'serfHealth');
}

describe('agent liveness', () => {
  const beat = { Verdicts: [], HeartbeatMs: 1000 };

  it('gives serfHealth to a node with the first report, and to no other', async () => {
    const server = await RunningServer.start({ clock: new FakeClock() });
    await server.register(NODE);
    expect(await serfHealth(server)).toBeUndefined();
    await server.composed.serverCatalog.report('n1', beat);
    expect(await serfHealth(server)).toMatchObject({
      Name: 'Serf Health Status',
      Status: 'passing',
      Output: 'Agent alive and reachable',
      ServiceID: '',
    });
    await server.stop();
  });

  it('is critical after three silent intervals and passing with the next report', async () => {
    const clock = new FakeClock();
    const server = await RunningServer.start({ clock });
    await server.register(NODE);
    await server.composed.serverCatalog.report('n1', beat);
    await clock.advance(2900);
    expect((await serfHealth(server))?.Status).toBe('passing');
    await clock.advance(1000);
    expect(await serfHealth(server)).toMatchObject({ Status: 'critical', Output: 'Agent not live or unreachable' });
    await server.composed.serverCatalog.report('n1', beat);
    expect((await serfHealth(server))?.Status).toBe('passing');
    await server.stop();
  });

  it('gives everybody three intervals after a restart of the server', async () => {
    const store = openMemoryStore();
    const first = await RunningServer.start({ store, clock: new FakeClock() });
    await first.register(NODE);
    await first.composed.serverCatalog.report('n1', beat);
    await first.stop();
    const clock = new FakeClock();
    const second = await RunningServer.start({ store, clock });
    await clock.advance(2500);
    expect((await serfHealth(second))?.Status).toBe('passing');
    await clock.advance(1500);
    expect((await serfHealth(second))?.Status).toBe('critical');
    await second.stop();
  });

  it('keeps the port that an agent has told, also of one that has failed before the server starts anew', async () => {
    const store = openMemoryStore();
    const members = async ({ composed }: RunningServer) =>
      (await composed.serverCatalog.members(new AbortController().signal)).map(({ Name, Port, Status }) => ({
        Name,
        Port,
        Status,
      }));
    const first = await RunningServer.start({ store, clock: new FakeClock() });
    await first.register(NODE);
    await first.composed.serverCatalog.report('n1', { ...beat, SerfPort: 22_301 });
    expect(await members(first)).toEqual([{ Name: 'n1', Port: 22_301, Status: 1 }]);
    await first.composed.serverCatalog.report('n1', { ...beat, SerfPort: 8301 });
    expect(await members(first)).toEqual([{ Name: 'n1', Port: 8301, Status: 1 }]);
    await first.composed.serverCatalog.report('n1', { ...beat, SerfPort: 22_302 });
    await first.stop();

    const clock = new FakeClock();
    const second = await RunningServer.start({ store, clock });
    expect(await members(second)).toEqual([{ Name: 'n1', Port: 22_302, Status: 1 }]);
    await clock.advance(4000);
    expect(await members(second)).toEqual([{ Name: 'n1', Port: 22_302, Status: 4 }]);
    await second.stop();
    const third = await RunningServer.start({ store, clock: new FakeClock() });
    expect(await members(third)).toEqual([{ Name: 'n1', Port: 22_302, Status: 4 }]);
    await third.stop();
  });

  it('remembers the report of a node that is registered later', async () => {
    const clock = new FakeClock();
    const server = await RunningServer.start({ clock });
    await server.composed.serverCatalog.report('n1', beat);
    await server.register(NODE);
    await clock.advance(600);
    expect((await serfHealth(server))?.Status).toBe('passing');
    await server.stop();
  });

  it('waits for the agents of a restored catalog, and finds those that are gone', async () => {
    const clock = new FakeClock();
    const before = await RunningServer.start({ clock });
    await before.register(NODE);
    await before.composed.serverCatalog.report('n1', beat);
    const archive = await before.archive();
    await before.stop();

    const server = await RunningServer.start({ clock });
    // A server that has just started looks for what restores have left.
    await clock.advance(1_000);
    await server.restore(archive);
    await clock.advance(600);
    expect((await serfHealth(server))?.Status).toBe('passing');
    await clock.advance(60_000);
    expect((await serfHealth(server))?.Status).toBe('critical');
    await server.stop();
  });

  it('finds an agent that is gone though everything is loaded anew again and again', async () => {
    const n1 = new NodeEntry('n1');
    let reset = (): void => {};
    const clock = new FakeClock();
    const written: boolean[] = [];
    const liveness = new AgentLiveness({
      nodes: {
        nodeEntries: () => [n1],
        node: () => n1,
        onReset: (listener) => {
          reset = listener;
          return () => {};
        },
        generation: '0',
      },
      write: async (_, { alive }) => {
        written.push(alive);
        const record = { status: alive ? 'passing' : 'critical' } as const;
        n1.checks.set('default/serfhealth', { definition: {}, status: record.status } as unknown as CheckEntry);
      },
      clock,
      log: silentLogger,
    });
    const controller = new AbortController();
    const done = liveness.run({ signal: controller.signal, ready: () => {} });
    await liveness.reported('n1', 1000);
    for (let n = 0; n < 6; n++) {
      await clock.advance(1000);
      reset();
    }
    expect(written).toEqual([true, false]);
    controller.abort();
    await clock.advance(600);
    await done;
  });

  it('forgets the oldest reports of nodes that do not exist, and never one of a node that does', async () => {
    const registered = new Map<string, NodeEntry>();
    const written: string[] = [];
    const clock = new FakeClock();
    const liveness = new AgentLiveness(
      {
        nodes: {
          nodeEntries: () => registered.values(),
          node: (name) => registered.get(name),
          onReset: () => () => {},
          generation: '0',
        },
        write: async (node) => void written.push(node),
        clock,
        log: silentLogger,
      },
      { maxUnknown: 3 },
    );
    const add = (name: string) => registered.set(name, new NodeEntry(name));
    const controller = new AbortController();
    const done = liveness.run({ signal: controller.signal, ready: () => {} });
    await liveness.reported('early', 10_000);
    add('early');
    for (const name of ['a', 'b', 'c', 'a', 'd', 'e']) await liveness.reported(name, 10_000);
    for (const name of ['a', 'b', 'c', 'd', 'e']) add(name);
    // Who was remembered comes alive with the next tick.
    await clock.advance(600);
    expect(written.sort()).toEqual(['a', 'd', 'e', 'early']);
    controller.abort();
    await clock.advance(600);
    await done;
  });
});
