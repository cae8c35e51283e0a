import { setTimeout as after } from 'node:timers/promises';
import { type Random, shuffled } from '../../../core/random.ts';
import type { EtcdCluster } from '../etcd/etcd-cluster.ts';
import type { AgentProcess } from '../processes/lictor.ts';
import { pick } from './kv-client.ts';

export interface NemesisTargets {
  readonly servers: readonly AgentProcess[];
  readonly etcd: EtcdCluster;
  readonly random: Random;
}

type Fault = (targets: NemesisTargets) => Promise<string>;

const FAULTS: readonly Fault[] = [killServer, pauseServer, pauseEtcd, killEtcd];

/**
 * Breaks one thing after the other and mends it again, until `over`; all kinds in turn, in an order of chance.
 * What it did, a line for each.
 */
export async function torment(targets: NemesisTargets, over: () => boolean): Promise<string[]> {
  const done: string[] = [];
  let next: Fault[] = [];
  while (!over()) {
    if (next.length === 0) next = shuffled(FAULTS, targets.random);
    done.push(await next.pop()!(targets));
    await after(between(targets.random, 300, 1500));
  }
  return done;
}

async function killServer({ servers, random }: NemesisTargets): Promise<string> {
  const server = await victim(servers, random);
  await server.kill();
  const ms = between(random, 200, 3000);
  await after(ms);
  await server.restart({ waitUntilReady: false });
  return `killed ${server.name}, started after ${ms} ms`;
}

async function pauseServer({ servers, random }: NemesisTargets): Promise<string> {
  const server = await victim(servers, random);
  const ms = between(random, 1000, 6000);
  server.pause();
  await after(ms);
  server.resume();
  return `paused ${server.name} for ${ms} ms`;
}

async function pauseEtcd({ etcd, random }: NemesisTargets): Promise<string> {
  const member = Math.floor(random.next() * etcd.endpoints.length);
  const ms = between(random, 1000, 6000);
  etcd.process(member).pause();
  await after(ms);
  etcd.process(member).resume();
  return `paused etcd ${member} for ${ms} ms`;
}

async function killEtcd({ etcd, random }: NemesisTargets): Promise<string> {
  const member = Math.floor(random.next() * etcd.endpoints.length);
  await etcd.kill(member);
  const ms = between(random, 200, 3000);
  await after(ms);
  await etcd.restart(member);
  return `killed etcd ${member}, started after ${ms} ms`;
}

/** More often the leader, whose loss shows the most. */
async function victim(servers: readonly AgentProcess[], random: Random): Promise<AgentProcess> {
  const any = pick(random, servers);
  if (random.next() < 0.4) return any;
  try {
    const address = await any.get<string>('/v1/status/leader');
    return servers.find(({ serverPort }) => address.endsWith(`:${serverPort}`)) ?? any;
  } catch {
    return any;
  }
}

function between(random: Random, low: number, high: number): number {
  return Math.round(low + random.next() * (high - low));
}
