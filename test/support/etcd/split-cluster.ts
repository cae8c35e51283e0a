import { BrokenNetwork } from '../network/broken-network.ts';
import type { AgentProcess } from '../processes/lictor.ts';
import { ServersOnEtcd } from './servers-on-etcd.ts';

const MEMBERS = [0, 1, 2];
const NOTHING_PASSES = { loss: 1 };

/** Breaks something about the leader of the moment; gives what mends it. */
export type Split = (cluster: SplitCluster) => Promise<() => Promise<void>>;

/**
 * Three servers over three etcds, each of the six on a host of its own, in a network that can be split. Their etcd asks
 * before it elects (--pre-vote, etcd's default since 3.5): so one that comes back does not stop the others.
 */
export class SplitCluster {
  readonly network: BrokenNetwork;
  readonly on: ServersOnEtcd;

  private constructor(network: BrokenNetwork, on: ServersOnEtcd) {
    this.network = network;
    this.on = on;
  }

  static async start(file: string): Promise<SplitCluster> {
    const network = await BrokenNetwork.start(2 * MEMBERS.length);
    try {
      const places = MEMBERS.map((n) => network.place(n));
      const serverPlaces = MEMBERS.map((n) => network.place(serverHost(n)));
      return new SplitCluster(network, await ServersOnEtcd.start({ file, places, serverPlaces, args: ['--pre-vote'] }));
    } catch (error) {
      await network.stop();
      throw error;
    }
  }

  get servers(): readonly AgentProcess[] {
    return this.on.servers;
  }

  /** The hosts of the leader and of the etcd that belongs to it, and all others. */
  async sides(): Promise<{ mine: number[]; others: number[] }> {
    const leader = await this.on.leader();
    const of = (n: number) => [n, serverHost(n)];
    return { mine: of(leader), others: this.on.others(leader).flatMap(of) };
  }

  async stop(): Promise<void> {
    await this.on.stop();
    await this.network.stop();
  }
}

/** Those that cost the leader its place, by name. */
export const SPLITS: Readonly<Record<string, Split>> = {
  'leader and its etcd cut off': async (cluster) => {
    const { mine, others } = await cluster.sides();
    await cluster.network.bothWays(mine, others, NOTHING_PASSES);
    return () => cluster.network.heal();
  },
  'leader cut off from every etcd': async (cluster) => {
    const leader = await cluster.on.leader();
    const servers = cluster.on.others(leader).map(serverHost);
    await cluster.network.bothWays([serverHost(leader)], [...MEMBERS, ...servers], NOTHING_PASSES);
    return () => cluster.network.heal();
  },
  'leader and its etcd hear nobody': async (cluster) => {
    const { mine, others } = await cluster.sides();
    await cluster.network.oneWay(others, mine, NOTHING_PASSES);
    return () => cluster.network.heal();
  },
  'leader and its etcd are not heard': async (cluster) => {
    const { mine, others } = await cluster.sides();
    await cluster.network.oneWay(mine, others, NOTHING_PASSES);
    return () => cluster.network.heal();
  },
};

/** Those that leave the servers a leader, as soon as etcd has another one. */
export const ETCD_FAULTS: Readonly<Record<string, Split>> = {
  "etcd's leader paused": async ({ on }) => {
    const paused = on.etcd.process(await on.etcd.leader());
    paused.pause();
    return async () => paused.resume();
  },
  "etcd's leader cut off from the other members": async ({ on, network }) => {
    const leader = await on.etcd.leader();
    await network.bothWays([leader], on.others(leader), NOTHING_PASSES);
    return () => network.heal();
  },
};

/** The host of the server at a position; its etcd is on the host of that number. */
export function serverHost(n: number): number {
  return n + MEMBERS.length;
}
