import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../processes/free-port.ts';
import { type AgentProcess, startServer } from '../processes/lictor.ts';
import type { EtcdBinary } from './binaries.ts';

export interface ListedMember {
  readonly ID: string;
  readonly name: string;
  readonly peerURLs: readonly string[];
  readonly isLearner?: boolean;
}

export interface ManagedStart {
  /** Default: three are expected. */
  readonly flags?: readonly string[];
  /** Default: `server-<n>`. */
  readonly node?: string;
  readonly waitUntilReady?: boolean;
  /** Default: the first two. */
  readonly joins?: readonly number[];
}

/** Servers that run an etcd each: server n on 127.0.0.(10 + n), as on a machine of its own. */
export class ManagedServers {
  readonly ports: { readonly server: number; readonly client: number; readonly peer: number };
  readonly #etcd: EtcdBinary;
  readonly #started = new Set<AgentProcess>();

  private constructor(etcd: EtcdBinary, ports: { server: number; client: number; peer: number }) {
    this.#etcd = etcd;
    this.ports = ports;
  }

  static async on(etcd: EtcdBinary): Promise<ManagedServers> {
    return new ManagedServers(etcd, { server: await freePort(), client: await freePort(), peer: await freePort() });
  }

  async start(n: number, options: ManagedStart = {}): Promise<AgentProcess> {
    const { flags = ['-bootstrap-expect=3'], node = `server-${n}`, waitUntilReady = true, joins = [1, 2] } = options;
    const { server, client, peer } = this.ports;
    const started = await startServer({
      node,
      waitUntilReady,
      // Etcd lets a member in once the others have been connected for 5 s.
      readyMs: 120_000,
      place: { address: addressOf(n), inside: [] },
      args: [
        ...flags,
        `-server-port=${server}`,
        `-advertise=${addressOf(n)}`,
        `-etcd-bin=${this.#etcd.file}`,
        `-etcd-client-port=${client}`,
        `-etcd-peer-port=${peer}`,
        ...joins.map((to) => `-retry-join=${addressOf(to)}:${server}`),
      ],
    });
    this.#started.add(started);
    return started;
  }

  /** As the etcd of server n lists them. @throws what fetch throws. */
  async members(n = 1): Promise<ListedMember[]> {
    const response = await fetch(`http://${addressOf(n)}:${this.ports.client}/v3/cluster/member/list`, {
      method: 'POST',
      body: '{}',
      signal: AbortSignal.timeout(10_000),
    });
    return ((await response.json()) as { members: ListedMember[] }).members;
  }

  /** Ends all of them and their etcds, and removes their folders. */
  async stop(): Promise<void> {
    for (const server of this.#started) {
      await server.kill();
      killEtcd(server);
      await server.stop();
    }
    this.#started.clear();
  }
}

/** Of server n. */
export function addressOf(n: number): string {
  return `127.0.0.${10 + n}`;
}

/** A file in the folder of a server's etcd. */
export function etcdFile(server: AgentProcess, name: string): string {
  return join(server.folder, 'data', 'etcd', name);
}

/** SIGKILL, when there is one. */
export function killEtcd(server: AgentProcess): void {
  const file = etcdFile(server, 'etcd.pid');
  const pid = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  if (pid > 1 && isRunning(pid)) process.kill(pid, 'SIGKILL');
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export async function putKey(server: AgentProcess, key: string, value: string): Promise<void> {
  const init = { method: 'PUT', body: value, signal: AbortSignal.timeout(30_000) };
  const response = await fetch(`${server.url}/v1/kv/${key}`, init);
  const text = await response.text();
  if (text !== 'true') throw new Error(`PUT ${key} at ${server.name}: ${response.status} ${text}`);
}

export async function readKey(server: AgentProcess, key: string): Promise<string> {
  const response = await fetch(`${server.url}/v1/kv/${key}?raw`, { signal: AbortSignal.timeout(30_000) });
  return response.text();
}
