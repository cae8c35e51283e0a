import type { RouteRequest } from '../../api/http/route.ts';
import type { RaftServer } from '../../api/shapes/operator.ts';
import { InTurn } from '../../core/in-turn.ts';
import { silentLogger } from '../../core/log.ts';
import { type EnteringDeps, enterRoute } from './entering.ts';
import type { Member } from './members.ts';

/** Three servers; each routes to the others' `enter` as their ports would. The peer URL of `sN` ends with N. */
class Cluster {
  leader: string | undefined = 's0';
  readonly silent = new Set<string>();
  members: Member[] = ['s0', 's1', 's2'].map((name) => member(name));
  /** Who was asked to let somebody in, in this order. */
  readonly asked: string[] = [];
  #ids = 100;

  async ask(server: string, name: string, more: object = {}): Promise<unknown> {
    this.asked.push(server);
    const body = Buffer.from(JSON.stringify({ name, peerUrl: urlOf(name), started: false, ...more }));
    const route = enterRoute(this.#depsOf(server));
    return ((await route.handle({ body } as RouteRequest)) as { json: unknown }).json;
  }

  #depsOf(server: string): EnteringDeps {
    const servers = () => this.members.map(({ name: Node }) => ({ Node, Address: Node, Leader: Node === this.leader }));
    return {
      log: silentLogger,
      membership: new InTurn(),
      formation: { card: () => ({ name: server, state: 'formed' }) } as EnteringDeps['formation'],
      members: {
        list: async () => ({ clusterId: '1', ownId: `id-${server}`, members: this.members }),
        addLearner: async (url: string) => {
          this.#ids += 1;
          this.members = [...this.members, { id: `${this.#ids}`, name: '', peerUrls: [url], learner: true }];
        },
        remove: async (id: string) => {
          this.members = this.members.filter((one) => one.id !== id);
        },
        promote: async () => {},
        move: async () => {},
      },
      calls: {
        scheme: 'http',
        isAlive: async (url) => !this.silent.has(url),
        call: async (_method, url, body) => {
          try {
            const { name, ...more } = body as { name: string };
            return { status: 200, text: JSON.stringify(await this.ask(new URL(url).host, name, more)) };
          } catch (error) {
            return { status: 500, text: (error as Error).message };
          }
        },
      },
      server: () => ({
        leads: () => this.leader === server,
        deregister: async () => {},
        quorum: {
          members: () => ({ index: 1, servers: servers() as unknown as RaftServer[] }),
          transferLeadership: async () => undefined,
        },
      }),
    };
  }
}

function urlOf(name: string): string {
  return `http://10.0.0.${name.slice(1)}:2380`;
}

function member(name: string): Member {
  return { id: `id-${name}`, name, peerUrls: [urlOf(name)], learner: false };
}

describe('a server that comes without its data', () => {
  let cluster: Cluster;
  beforeEach(() => {
    cluster = new Cluster();
    cluster.silent.add(urlOf('s2'));
  });
  const ids = () => cluster.members.map(({ id }) => id);

  it('is replaced by the server that leads, whichever it asks', async () => {
    const answer = await cluster.ask('s1', 's2');
    expect(cluster.asked).toEqual(['s1', 's0']);
    expect(ids()).toEqual(['id-s0', 'id-s1', '101']);
    const all = ['s0', 's1', 's2'].map((name) => `${name}=${urlOf(name)}`).join();
    expect(answer).toEqual({ clusterId: '1', members: all, promoted: false, known: true });
  });

  it('is told again by any server what to begin with, once the leader has added it', async () => {
    await cluster.ask('s0', 's2');
    cluster.asked.length = 0;
    expect(await cluster.ask('s1', 's2')).toMatchObject({ known: true });
    expect(cluster.asked).toEqual(['s1']);
    expect(ids()).toEqual(['id-s0', 'id-s1', '101']);
  });

  it('waits while no other server leads, or while it is not known yet that another one does', async () => {
    for (const leader of [undefined, 's2']) {
      cluster.leader = leader;
      await expect(cluster.ask('s1', 's2')).rejects.toThrow(/is taken out by the server that leads, and none does/);
    }
    await expect(cluster.ask('s1', 's2', { handedOn: true })).rejects.toThrow('another server leads');
    expect(ids()).toEqual(['id-s0', 'id-s1', 'id-s2']);
  });

  it('does not have its place while more than half of all do not answer, and hears what to do', async () => {
    cluster.silent.add(urlOf('s1'));
    await expect(cluster.ask('s0', 's2')).rejects.toThrow(
      /^the member that s2 was cannot be taken out of etcd: 1 of 3 answer .*, but not s1; bring others back, or see/,
    );
    // A learner that was added and has not begun is no voter.
    cluster.silent.delete(urlOf('s1'));
    cluster.members.push({ ...member('s3'), name: '', learner: true });
    cluster.silent.add(urlOf('s3'));
    await cluster.ask('s0', 's2');
    expect(ids()).not.toContain('id-s2');
  });

  it('does not have its place while somebody else answers there', async () => {
    cluster.silent.clear();
    await expect(cluster.ask('s1', 's2')).rejects.toThrow(/^s0, which leads: two servers want one place/);
    expect(ids()).toContain('id-s2');
  });

  it('is let in by any server where nobody has to go', async () => {
    await cluster.ask('s1', 's4');
    expect(cluster.asked).toEqual(['s1']);
    expect(ids()).toEqual(['id-s0', 'id-s1', 'id-s2', '101']);
  });
});
