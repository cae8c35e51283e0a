import type { RouteRequest } from '../../api/http/route.ts';
import { FakeClock } from '../../core/clock.ts';
import { InTurn } from '../../core/in-turn.ts';
import { silentLogger } from '../../core/log.ts';
import { type LeavingDeps, leaveRoute } from './leaving.ts';

const LIMIT_MS = 10_000;

/** s0 leads, s3 is dead: one of the others can be missed, not both. The id of a member is its name. */
class Cluster {
  readonly clock = new FakeClock();
  readonly membership = new InTurn();
  names = ['0', '1', '2', '3'];
  /** As the members are asked whether they are alive. */
  onLook: () => void | Promise<void> = () => {};
  readonly #deps = {
    clock: this.clock,
    log: silentLogger,
    membership: this.membership,
    calls: {
      isAlive: async (url: string) => {
        await this.onLook();
        return url !== '3';
      },
    },
    process: {
      members: {
        list: async () => ({
          clusterId: '1',
          ownId: '0',
          members: this.names.map((id) => ({ id, name: `s${id[0]}`, peerUrls: [id], learner: false })),
        }),
        remove: async (id: string) => {
          this.names = this.names.filter((one) => one !== id);
        },
      },
    },
    server: () => ({
      leads: () => true,
      deregister: async () => {},
      quorum: { members: () => ({ servers: [] }) },
    }),
  } as unknown as LeavingDeps;

  ask(memberId: string, signal = new AbortController().signal): Promise<unknown> {
    const asked = { name: `s${memberId}`, id: `id-${memberId}`, memberId, withinMs: LIMIT_MS };
    const request = { body: Buffer.from(JSON.stringify(asked)), signal } as RouteRequest;
    return Promise.resolve(leaveRoute(this.#deps).handle(request));
  }
}

describe('servers that leave at the same time', () => {
  it('and other changes of the members go one after the other', async () => {
    const cluster = new Cluster();
    let finish: () => void = () => {};
    const entering = cluster.membership.run(
      () =>
        new Promise<void>((resolve) => {
          finish = resolve;
        }),
    );
    const leaving = cluster.ask('1');
    await new Promise((resolve) => setImmediate(resolve));
    expect(cluster.names).toContain('1');
    finish();
    await Promise.all([entering, leaving]);
    expect(cluster.names).toEqual(['0', '2', '3']);
  });

  it('are judged by the members that are left then: the second is refused where the rest would have no quorum', async () => {
    const cluster = new Cluster();
    const [first, second] = await Promise.all([cluster.ask('1'), cluster.ask('2')]);
    expect(first).toEqual({ json: {} });
    expect(second).toEqual({ json: { refused: expect.stringMatching(/^without s2 .* s3 of 2 do not answer/) } });
    expect(cluster.names).toEqual(['0', '2', '3']);
  });
});

describe('a server that asked to be taken out', () => {
  it('stays when its time is over before its turn has come, or while the others are looked at', async () => {
    const cluster = new Cluster();
    let turn: () => void = () => {};
    const before = cluster.membership.run(
      () =>
        new Promise<void>((resolve) => {
          turn = resolve;
        }),
    );
    const asked = expect(cluster.ask('1')).rejects.toThrow('s1 does not wait any more to be taken out');
    await cluster.clock.advance(LIMIT_MS);
    turn();
    await Promise.all([asked, before]);
    cluster.onLook = () => cluster.clock.advance(LIMIT_MS);
    await expect(cluster.ask('1')).rejects.toThrow('s1 does not wait any more');
    expect(cluster.names).toContain('1');
    cluster.onLook = () => {};
    expect(await cluster.ask('1')).toEqual({ json: {} });
    expect(cluster.names).not.toContain('1');
  });

  it('stays when it has gone away', async () => {
    const cluster = new Cluster();
    const caller = new AbortController();
    cluster.onLook = () => caller.abort();
    await expect(cluster.ask('1', caller.signal)).rejects.toThrow('s1 does not wait any more');
    expect(cluster.names).toContain('1');
  });

  it('stays when it has come back as another member under the same name', async () => {
    const cluster = new Cluster();
    cluster.names = ['0', '12', '2', '3'];
    expect(await cluster.ask('1')).toEqual({ json: { refused: 's1 is the member 12 of etcd, not 1' } });
    expect(cluster.names).toContain('12');
  });

  it('is out when an earlier request of its own was carried out whose answer was lost', async () => {
    const cluster = new Cluster();
    await cluster.ask('1');
    expect(await cluster.ask('1')).toEqual({ json: {} });
  });

  it('has to say which member it is, and how long it waits', async () => {
    const cluster = new Cluster();
    await expect(cluster.ask('x')).rejects.toThrow(/^memberId must be/);
  });
});
