import type { AgentInfoBackend, Member } from '../../api/routes/agent-local-backend.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import type { LocalState } from '../local-state/local-state.ts';
import { hostInfo } from './host-info.ts';
import { debugConfig, isServer, type QuorumStats, stableConfig, stats } from './self-document.ts';

/** What only the composing process knows of this node. */
export interface AgentIdentity {
  readonly nodeId: string;
  /** The address under which the node is reached. */
  readonly address: string;
  /** Our version, and the version of Consul whose API it speaks. */
  readonly version: string;
  readonly consulVersion: string;
}

export interface AgentInfoDeps {
  readonly config: AgentConfig;
  readonly identity: AgentIdentity;
  readonly local: LocalState;
  /** Of a server. */
  readonly quorum?: (() => QuorumStats) | undefined;
  /** The members that the servers know, this node among them. */
  readonly others: (signal: AbortSignal) => Promise<readonly Member[]>;
}

const ALIVE = 1;

/** The agent's description of itself. */
export class AgentInfo implements AgentInfoBackend {
  readonly #deps: AgentInfoDeps;

  constructor(deps: AgentInfoDeps) {
    this.#deps = deps;
  }

  get node(): string {
    return this.#deps.config.nodeName;
  }

  get datacenter(): string {
    return this.#deps.config.datacenter;
  }

  get metricsHost(): string {
    return this.#deps.config.metricsHost;
  }

  host(nowMs: number): object {
    return hostInfo({ dataDir: this.#deps.config.dataDir, nowMs });
  }

  member(): Member {
    const { config, identity } = this.#deps;
    const build = `${identity.consulVersion}:lictor`;
    const shared = {
      dc: config.datacenter,
      id: identity.nodeId,
      segment: '',
      build,
      vsn: '2',
      vsn_min: '2',
      vsn_max: '3',
    };
    const tags: Record<string, string> = isServer(config)
      ? {
          ...shared,
          role: 'consul',
          acls: '0',
          bootstrap: '1',
          ft_fs: '1',
          ft_si: '1',
          grpc_port: String(config.ports.grpc),
          port: String(config.ports.server),
          raft_vsn: '3',
          wan_join_port: String(Math.max(0, config.ports.serfWan)),
        }
      : { ...shared, role: 'node' };
    return { Name: config.nodeName, Addr: identity.address, Port: config.ports.serfLan, Tags: tags, Status: ALIVE };
  }

  async members(signal: AbortSignal): Promise<readonly Member[]> {
    const self = this.member();
    // A server that has not loaded its catalog yet, or cannot be reached, leaves what the agent knows by itself.
    const others = await this.#deps.others(signal).catch(() => [] as readonly Member[]);
    const names = new Set([self.Name.toLowerCase()]);
    return [self, ...others.filter(({ Name }) => !names.has(Name.toLowerCase()) && names.add(Name.toLowerCase()))];
  }

  self(): Readonly<Record<string, unknown>> {
    const { config, identity } = this.#deps;
    return {
      Config: stableConfig(config, identity),
      DebugConfig: debugConfig(config, identity),
      Stats: stats(this.#deps, this.#deps.quorum?.()),
      Meta: { ...nodeMeta(config, identity) },
      // Nothing answers proxies here: tools that would start one read that from the ports.
      xDS: { SupportedProxies: { envoy: [] }, Port: -1, Ports: { Plaintext: -1, TLS: -1 } },
    };
  }
}

/** The node's metadata as the catalog shows it. */
export function nodeMeta(config: AgentConfig, identity: AgentIdentity): Record<string, string> {
  return { 'consul-network-segment': '', 'consul-version': identity.consulVersion, ...config.nodeMeta };
}
