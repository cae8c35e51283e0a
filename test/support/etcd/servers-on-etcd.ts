import { eventually } from '../eventually.ts';
import type { Place } from '../network/broken-network.ts';
import { type AgentProcess, startServer } from '../processes/lictor.ts';
import { EtcdCluster, type EtcdClusterOptions } from './etcd-cluster.ts';

export interface ServersOnEtcdOptions extends Omit<EtcdClusterOptions, 'members'> {
  /** Members of etcd, and as many servers. Default 3. */
  readonly members?: number;
  /** Where the servers run; default: `places`, where etcd's members do. */
  readonly serverPlaces?: readonly Place[];
  /** Further flags of every server. */
  readonly serverArgs?: readonly string[];
}

/** `server-1`, `server-2`, ... over an etcd of their own. Server and member of the same position belong together. */
export class ServersOnEtcd {
  readonly etcd: EtcdCluster;
  readonly servers: readonly AgentProcess[];

  private constructor(etcd: EtcdCluster, servers: readonly AgentProcess[]) {
    this.etcd = etcd;
    this.servers = servers;
  }

  /** Ready when every server answers reads. */
  static async start(options: ServersOnEtcdOptions): Promise<ServersOnEtcd> {
    const { members = 3, places, serverPlaces = places } = options;
    const etcd = await EtcdCluster.start({ ...options, members });
    const args = [`-etcd-endpoints=${etcd.endpoints.join(',')}`, ...(options.serverArgs ?? [])];
    const started = await Promise.allSettled(
      Array.from({ length: members }, (_, n) => {
        const place = serverPlaces?.[n];
        return startServer({ node: `server-${n + 1}`, args, ...(place ? { place } : {}) });
      }),
    );
    const servers = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const cluster = new ServersOnEtcd(etcd, servers);
    const failed = started.find((one) => one.status === 'rejected');
    if (!failed) return cluster;
    await cluster.stop();
    throw failed.reason;
  }

  /** The position of the leader, as soon as all servers, or those at some positions, name the same one of them. */
  leader(among: readonly number[] = this.servers.map((_, n) => n)): Promise<number> {
    return eventually(
      async () => {
        const known = await Promise.all(among.map((n) => this.servers[n]!.get<string>('/v1/status/leader')));
        const found = this.servers.findIndex(({ address, serverPort }) => known[0] === `${address}:${serverPort}`);
        if (new Set(known).size > 1 || !among.includes(found)) {
          throw new Error(`they do not agree: ${known.join(', ')}`);
        }
        return found;
      },
      { withinMs: 60_000 },
    );
  }

  /** All positions but this one. */
  others(than: number): number[] {
    return this.servers.flatMap((_, n) => (n === than ? [] : [n]));
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
    await this.etcd.stop();
  }
}
