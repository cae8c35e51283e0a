import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { HERE, type Place } from '../network/broken-network.ts';
import { freePort } from '../processes/free-port.ts';
import { fastTempFolder, removeFolder } from '../processes/temp-folder.ts';
import { startTied, type TiedProcess } from '../processes/tied-process.ts';

export interface EtcdClusterOptions {
  /** The program. */
  readonly file: string;
  /** Default 1. */
  readonly members?: number;
  /** Further arguments of every member. */
  readonly args?: readonly string[];
  /** Where data and logs lie; default: a folder in memory where the machine has one. Removed by `stop`. */
  readonly folder?: string;
  /** `https` with the certificate arguments in `args`. Default `http`. */
  readonly scheme?: 'http' | 'https';
  /** Where the members run; default: here. */
  readonly places?: readonly Place[];
}

interface Member {
  readonly name: string;
  readonly place: Place;
  readonly clientPort: number;
  readonly peerPort: number;
  process: TiedProcess;
}

/** Room for a few hundred MB of data. */
const FOLDER_BYTES = 512 * 2 ** 20;

/** A cluster of real etcds of this test's own, which it may therefore break. */
export class EtcdCluster {
  readonly #options: EtcdClusterOptions;
  readonly #folder: string;
  readonly #members: Member[] = [];
  /** Where the members are, for those that begin. */
  #initial = '';

  private constructor(options: EtcdClusterOptions) {
    this.#options = options;
    this.#folder = options.folder ?? fastTempFolder('etcd', FOLDER_BYTES);
  }

  /** Starts one and waits until all members serve. */
  static async start(options: EtcdClusterOptions): Promise<EtcdCluster> {
    const cluster = new EtcdCluster(options);
    const ports = await Promise.all(
      Array.from({ length: options.members ?? 1 }, async () => [await freePort(), await freePort()] as const),
    );
    const members = ports.map(([clientPort, peerPort], i) => {
      return { name: `m${i}`, place: options.places?.[i] ?? HERE, clientPort, peerPort };
    });
    cluster.#initial = members.map((member) => `${member.name}=${peerUrl(member)}`).join(',');
    for (const member of members) cluster.#members.push({ ...member, process: await cluster.#spawn(member) });
    if (options.scheme !== 'https') await Promise.all(cluster.#members.map((_, i) => cluster.#serves(i)));
    return cluster;
  }

  get endpoints(): string[] {
    return this.#members.map((_, i) => this.url(i));
  }

  url(member = 0): string {
    const { place, clientPort } = this.#members[member]!;
    return `${this.#options.scheme ?? 'http'}://${place.address}:${clientPort}`;
  }

  /** Where a member keeps its data. */
  dataFolder(member = 0): string {
    return join(this.#folder, this.#members[member]!.name);
  }

  port(member = 0): number {
    return this.#members[member]!.clientPort;
  }

  /** The running process of a member: `pause`, `resume`, `kill`. */
  process(member = 0): TiedProcess {
    return this.#members[member]!.process;
  }

  async kill(member = 0): Promise<void> {
    await this.#members[member]!.process.kill();
  }

  /** Starts a member again on its ports and data (`wiped`: on none); waits until it serves. */
  async restart(member = 0, options: { wiped?: boolean; args?: readonly string[] } = {}): Promise<void> {
    const place = this.#members[member]!;
    if (options.wiped) removeFolder(this.dataFolder(member));
    place.process = await this.#spawn(place, options.args);
    // With TLS only who has the certificates can tell.
    if (this.#options.scheme !== 'https') await this.#serves(member);
  }

  /** Takes a member out of the cluster, by way of another one, and brings it back without its data, as a new one. */
  async replace(member: number, by: number): Promise<void> {
    const { name, process } = this.#members[member]!;
    const { members } = await this.call<{ members: { ID: string; name: string }[] }>('cluster/member/list', {}, by);
    const removed = { ID: members.find((known) => known.name === name)!.ID };
    const added = { peerURLs: [peerUrl(this.#members[member]!)] };
    // Refused while members have been connected for a few seconds only.
    const patient = { withinMs: 60_000, everyMs: 200 };
    await eventually(() => this.call('cluster/member/remove', removed, by), patient);
    await process.kill();
    await eventually(() => this.call('cluster/member/add', added, by), patient);
    await this.restart(member, { wiped: true, args: ['--initial-cluster-state', 'existing'] });
  }

  /** The member that leads. */
  async leader(): Promise<number> {
    return eventually(
      async () => {
        for (const [i, member] of this.#members.entries()) {
          if (!member.process.running) continue;
          const status = await this.call<{ leader?: string; header: { member_id: string } }>(
            'maintenance/status',
            {},
            i,
          );
          if (status.leader && status.leader === status.header.member_id) return i;
        }
        throw new Error('no member leads');
      },
      { withinMs: 60_000 },
    );
  }

  /** Hands the leadership from the leader to another member. */
  async moveLeader(to: number): Promise<void> {
    const from = await this.leader();
    const status = await this.call<{ header: { member_id: string } }>('maintenance/status', {}, to);
    await this.call('maintenance/transfer-leadership', { targetID: status.header.member_id }, from);
  }

  /** Forgets all history up to now; etcd's revision. */
  async compact(member = 0): Promise<number> {
    const read = await this.call<{ header: { revision: string } }>(
      'kv/range',
      { key: base64('compact-probe') },
      member,
    );
    await this.call('kv/compaction', { revision: read.header.revision, physical: true }, member);
    return Number(read.header.revision);
  }

  /** Takes back all alarms, as `etcdctl alarm disarm` does. */
  async disarm(): Promise<void> {
    const { alarms } = await this.call<{ alarms?: object[] }>('maintenance/alarm', { action: 'GET' });
    for (const alarm of alarms ?? []) await this.call('maintenance/alarm', { action: 'DEACTIVATE', ...alarm });
  }

  /** Puts a key past every engine; etcd's revision. */
  async put(key: string, value: string): Promise<number> {
    const body = { key: base64(key), value: base64(value) };
    const { header } = await this.call<{ header: { revision: string } }>('kv/put', body);
    return Number(header.revision);
  }

  /** The keys with a prefix. */
  async keys(prefix: string): Promise<string[]> {
    const body = { key: base64(prefix || '\u0001'), range_end: base64(`${prefix}\u{10FFFF}`), keys_only: true };
    const { kvs } = await this.call<{ kvs?: { key: string }[] }>('kv/range', body);
    return (kvs ?? []).map(({ key }) => Buffer.from(key, 'base64').toString());
  }

  /** A call to etcd's JSON gateway (etcd.io, "gRPC gateway"). */
  async call<T>(path: string, body: unknown, member = 0): Promise<T> {
    const response = await fetch(`${this.url(member)}/v3/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.process.kill()));
    removeFolder(this.#folder);
  }

  #spawn(member: Omit<Member, 'process'>, more: readonly string[] = []): Promise<TiedProcess> {
    const { name, clientPort, place } = member;
    const { address, inside } = place;
    const clients = `${this.#options.scheme ?? 'http'}://${address}:${clientPort}`;
    const peers = peerUrl(member);
    const args = [
      ...['--name', name, '--data-dir', join(this.#folder, name)],
      ...['--listen-client-urls', clients],
      ...['--advertise-client-urls', clients],
      ...['--listen-peer-urls', peers],
      ...['--initial-advertise-peer-urls', peers],
      ...['--initial-cluster', this.#initial],
      ...(this.#options.args ?? []),
      ...more,
    ];
    const [command, ...commandLine] = [...inside, this.#options.file, ...args];
    return startTied({
      name: `etcd ${name}`,
      command: command!,
      args: commandLine,
      logFile: join(this.#folder, `${name}.log`),
      removeOnDeath: [this.#folder],
    });
  }

  /** Also that it has a leader: a range is linearizable. */
  async #serves(member: number): Promise<void> {
    const { process, name } = this.#members[member]!;
    await eventually(
      async () => {
        if (!process.running) return true;
        await this.call('kv/range', { key: base64('serves') }, member);
        return true;
      },
      { withinMs: 60_000, everyMs: 50, what: `etcd ${name} serves` },
    );
    if (!process.running) throw new Error(`etcd ${name} has ended:\n${process.logTail()}`);
  }
}

function peerUrl({ place, peerPort }: Pick<Member, 'place' | 'peerPort'>): string {
  return `http://${place.address}:${peerPort}`;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
