import { setTimeout as after } from 'node:timers/promises';
import { between, type Fault, lasts, victim } from './nemesis.ts';

/** What happens to processes: killed, stopped for a while, exchanged for others. */
export const PROCESS_FAULTS: readonly Fault[] = [killServer, pauseServer, pauseEtcd, killEtcd, replaceEtcd];

async function killServer(targets: Parameters<Fault>[0]): Promise<string> {
  const server = targets.servers[await victim(targets)]!;
  await server.kill();
  const ms = between(targets.random, 200, 3000);
  await after(ms);
  await server.restart({ waitUntilReady: false });
  return `killed ${server.name}, started after ${ms} ms`;
}

async function pauseServer(targets: Parameters<Fault>[0]): Promise<string> {
  const server = targets.servers[await victim(targets)]!;
  server.pause();
  const ms = await lasts(targets);
  server.resume();
  return `paused ${server.name} for ${ms} ms`;
}

async function pauseEtcd(targets: Parameters<Fault>[0]): Promise<string> {
  const { etcd, random } = targets;
  const member = Math.floor(random.next() * etcd.endpoints.length);
  etcd.process(member).pause();
  const ms = await lasts(targets);
  etcd.process(member).resume();
  return `paused etcd ${member} for ${ms} ms`;
}

async function killEtcd({ etcd, random }: Parameters<Fault>[0]): Promise<string> {
  const member = Math.floor(random.next() * etcd.endpoints.length);
  await etcd.kill(member);
  const ms = between(random, 200, 3000);
  await after(ms);
  await etcd.restart(member);
  return `killed etcd ${member}, started after ${ms} ms`;
}

/** Not the one with the small disk, whose folder cannot be removed. */
async function replaceEtcd({ etcd, random, smallDisk }: Parameters<Fault>[0]): Promise<string> {
  const others = etcd.endpoints.map((_, member) => member).filter((member) => member !== smallDisk.member);
  const member = others[Math.floor(random.next() * others.length)]!;
  await etcd.replace(member, smallDisk.member);
  return `removed etcd ${member} and added an empty one`;
}
