import { setTimeout as after } from 'node:timers/promises';
import { type Random, shuffled } from '../../../core/random.ts';
import type { EtcdCluster } from '../etcd/etcd-cluster.ts';
import type { BrokenNetwork } from '../network/broken-network.ts';
import type { AgentProcess } from '../processes/lictor.ts';
import { DISK_FAULTS } from './disk-faults.ts';
import { NETWORK_FAULTS } from './network-faults.ts';
import { PROCESS_FAULTS } from './process-faults.ts';

/** Server and etcd member of the same number stand on the same host. */
export interface NemesisTargets {
  readonly servers: readonly AgentProcess[];
  readonly etcd: EtcdCluster;
  readonly network: BrokenNetwork;
  /** The member with a small disk, and where that is seen from here. */
  readonly smallDisk: { readonly member: number; readonly folder: string };
  readonly random: Random;
  /** How long things are paused or cut off. */
  readonly lastsMs: { readonly min: number; readonly max: number };
}

/** Breaks something and mends it again; a line for people. */
export type Fault = (targets: NemesisTargets) => Promise<string>;

/**
 * Breaks one thing after the other and mends it again, until `over`; all kinds in turn, in an order of chance.
 * What it did, a line for each.
 */
export async function torment(targets: NemesisTargets, over: () => boolean): Promise<string[]> {
  const done: string[] = [];
  let next: Fault[] = [];
  while (!over()) {
    if (next.length === 0) next = shuffled([...PROCESS_FAULTS, ...NETWORK_FAULTS, ...DISK_FAULTS], targets.random);
    done.push(await next.pop()!(targets));
    await after(between(targets.random, 300, 1500));
  }
  return done;
}

/** How long a fault lasts; waits for its end. */
export async function lasts({ random, lastsMs }: NemesisTargets): Promise<number> {
  const ms = between(random, lastsMs.min, lastsMs.max);
  await after(ms);
  return ms;
}

export function between(random: Random, low: number, high: number): number {
  return Math.round(low + random.next() * (high - low));
}

/** The number of a server, more often of the leader, whose loss shows the most. */
export async function victim({ servers, random }: NemesisTargets): Promise<number> {
  const any = Math.floor(random.next() * servers.length);
  if (random.next() < 0.4) return any;
  try {
    const leader = await servers[any]!.get<string>('/v1/status/leader');
    const found = servers.findIndex(({ address, serverPort }) => leader === `${address}:${serverPort}`);
    return found < 0 ? any : found;
  } catch {
    return any;
  }
}
