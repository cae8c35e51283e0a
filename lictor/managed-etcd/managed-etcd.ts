import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentConfig, ConfigReloads } from '../../agent/config.ts';
import { serverOrigin } from '../../agent/server-pool/server-address.ts';
import { type RpcTls, rpcServerName } from '../../agent/tls/rpc-tls.ts';
import type { TlsFiles } from '../../agent/tls/server-certificate.ts';
import type { Route } from '../../api/http/route.ts';
import { createHttpServer } from '../../api/http/server.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import { hostPort } from '../../core/host-port.ts';
import { RunGroup, type Runnable, runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { Random } from '../../core/random.ts';
import type { ComposedServer } from '../../server/composition.ts';
import type { EtcdTls } from '../../store/etcd/member-connections.ts';
import type { NodePlace } from '../server-agent.ts';
import { DeadMembers } from './dead-members.ts';
import { EtcdProcess, type EtcdProcessOptions, START_MS } from './etcd-process.ts';
import { forServers } from './for-servers.ts';
import { Formation } from './formation.ts';
import { FormationFile } from './formation-file.ts';
import { cardOf, ENTER_PATH, type EnterAnswer, HELLO_PATH, joinRoutes } from './join-routes.ts';
import { JoinTries } from './join-tries.ts';
import { JsonCalls } from './json-calls.ts';
import type { ServerCard } from './known-servers.ts';
import { type LeadingServer, Leaving, leaveRoute } from './leaving.ts';
import { MemberTls } from './member-tls.ts';
import type { Membership } from './members.ts';
import { turnToTls } from './turn-to-tls.ts';

export interface ManagedEtcdDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly random: Random;
  readonly files: TlsFiles;
  readonly reloads: ConfigReloads;
  /** The servers, and the members of their etcd, speak TLS among each other when it serves. */
  readonly rpcTls: RpcTls;
}

/** An etcd of this server's own that serves as a full member of the cluster. */
export interface ManagedEtcd {
  readonly endpoints: readonly string[];
  /** What its client shows and trusts; undefined in the clear. */
  readonly tls: EtcdTls | undefined;
  /** Gives the client what replaces `tls`. */
  renewTls(use: (tls: EtcdTls) => void): void;
  /** To be served on the servers' own port, for servers that come later. */
  readonly routes: readonly Route[];
  /** Keeps the etcd running while the server does. */
  readonly process: Runnable;
  /** Takes dead servers out while this one leads, and those that leave. */
  upkeep(server: Pick<ComposedServer, 'operator' | 'quorum' | 'serverCatalog'>): Runnable;
  /** Before a server that leaves stops: another one leads. @throws AppError `unavailable` when it must not leave. */
  mayLeave(): Promise<void>;
  /** After a server that leaves has stopped: it is taken out, and its etcd ended. */
  leave(): Promise<void>;
}

/** Servers that must live beside a dead one that is taken out, where this server was not told how many to expect. */
const DEFAULT_EXPECT = 3;
const ASK_MS = 500;
const CALL_MS = 15_000;
const HELLO_MS = 5000;
/** A round of asking does not wait longer for answers. */
const ROUND_MS = 1000;

/**
 * Forms a cluster with the servers that -retry-join names, enters theirs, or goes on with the data of before.
 * Once the signal has aborted, what it gives must not be used.
 * @throws AppError `config` for what the operator has to decide; `unavailable` when etcd does not start.
 */
export async function openManagedEtcd(
  config: AgentConfig,
  place: NodePlace,
  deps: ManagedEtcdDeps,
  signal: AbortSignal,
): Promise<ManagedEtcd> {
  const log = deps.log.child({ part: 'etcd' });
  const { etcd: ports, dataDir, nodeName, bindAddress } = config;
  if (!/^[!-+.0-<>-~-]{1,253}$/.test(nodeName)) {
    throw new AppError('config', `node_name: ${JSON.stringify(nodeName)} must have no comma or equals sign for etcd`);
  }
  if (existsSync(join(dataDir, 'catalog'))) {
    const folder = join(dataDir, 'catalog');
    log.warn('the catalog of a single server lies here and is not used; move it with lictor snapshot', { folder });
  }
  const calls = new JsonCalls(deps.rpcTls.outgoing);
  const { scheme } = calls;
  const at = { folder: join(dataDir, 'etcd', 'tls'), address: place.address };
  const memberTls = scheme === 'https' ? new MemberTls(deps, config, at) : undefined;
  const withScheme = (as: string): EtcdProcessOptions => ({
    bin: ports.bin,
    folder: join(dataDir, 'etcd'),
    name: nodeName,
    clientUrl: `${as}://${hostPort(clientHost(bindAddress), ports.clientPort)}`,
    listenPeerUrl: `${as}://${hostPort(bindAddress, ports.peerPort)}`,
    peerUrl: `${as}://${hostPort(place.address, ports.peerPort)}`,
    ...(memberTls && as === 'https' ? { tls: () => memberTls.files } : {}),
  });
  const { peerUrl } = withScheme(scheme);
  const process = new EtcdProcess({ ...deps, log, calls }, withScheme(scheme));
  log.info(await process.checkVersion(), { bin: ports.bin });
  process.adopt();
  const hadTls = existsSync(at.folder);
  if (hadTls && !memberTls) forgetTls(process, at.folder);
  const begin = async (inner: AbortSignal): Promise<void> => {
    if (memberTls && !hadTls && process.hasData) {
      const plain = new EtcdProcess({ ...deps, log, calls: new JsonCalls(undefined) }, withScheme('http'));
      await turnToTls(plain, peerUrl, { ...deps, log, othersTurned: () => joining.othersGoOn() }, inner);
      if (inner.aborted) return;
    }
    memberTls?.save();
    await process.stopIfOther();
    await joining.run(inner);
  };
  let renew: (tls: EtcdTls) => void = () => {};
  if (memberTls) {
    deps.reloads.add((next) => {
      const change = memberTls.prepare(next);
      return async () => {
        const forEtcd = change();
        renew(memberTls.client);
        if (forEtcd) await process.restart();
      };
    });
  }
  const address = hostPort(place.address, config.ports.server);
  const { datacenter, bootstrapExpect } = config;
  const file = new FormationFile(join(dataDir, 'etcd'));
  const self = { name: nodeName, id: place.nodeId, address, datacenter, expect: bootstrapExpect };
  // With data of a cluster it never waits to form one, whatever it has said before.
  const formation = new Formation(self, process.hasData ? { pledged: true, counted: [] } : await file.read());
  const isAlive = (url: string) => calls.isAlive(url);
  const told = () => toldCard(formation, process, file);
  let leading: LeadingServer | undefined;
  const leavingDeps = { ...deps, log, calls, process, server: () => leading };
  const leaving = new Leaving(leavingDeps, { name: nodeName, id: place.nodeId });
  const asked = [
    ...joinRoutes({ formation, told, members: process.members, scheme, isAlive }),
    leaveRoute(leavingDeps),
  ];
  const routes = forServers(asked, () =>
    deps.reloads.current.tls.internalRpc.verifyIncoming ? rpcServerName(deps.reloads.current) : undefined,
  );
  const joining = new Joining({ ...deps, log, formation, file, told, process, calls }, { config, peerUrl, address });
  await serveMeanwhile(config, deps, routes, signal, begin);
  return {
    endpoints: [process.members.url],
    get tls() {
      return memberTls?.client;
    },
    renewTls: (use) => {
      renew = use;
    },
    routes,
    process,
    upkeep: (server) => {
      const leads = () => server.quorum().isLeader;
      const deregister = (Node: string) => server.serverCatalog.deregister({ Node }, { owner: '', epoch: 0 });
      leading = { quorum: server.operator.quorum, leads, deregister };
      return new DeadMembers(
        { clock: deps.clock, log, members: process.members, isAlive, ...server.operator, leads },
        { expect: bootstrapExpect || DEFAULT_EXPECT },
      );
    },
    mayLeave: () => leaving.prepare(),
    leave: () => leaving.finish(),
  };
}

/** Its members would go on with TLS: that a server speaks in the clear again is nothing that they could be told. */
function forgetTls(process: EtcdProcess, folder: string): void {
  if (process.hasData) {
    throw new AppError(
      'config',
      `tls.internal_rpc: the etcd of this server has spoken TLS, and cannot go back to the clear (${folder}); configure TLS, or move the etcd folder of every server away and restore a snapshot`,
    );
  }
  rmSync(folder, { recursive: true, force: true });
}

/** What others are told is on disk before they hear it; etcd's data says more than that. */
async function toldCard(formation: Formation, process: EtcdProcess, file: FormationFile): Promise<ServerCard> {
  const card = formation.card();
  if (!process.hasData) await file.save(formation.memory());
  return card;
}

/** Only the server beside it speaks to an etcd, so it listens on the machine alone. */
function clientHost(bindAddress: string): string {
  return bindAddress.startsWith('127.') || bindAddress === '::1' ? bindAddress : '127.0.0.1';
}

/** Answers the other servers on the own port while `work` goes on; the server itself takes the port afterwards. */
async function serveMeanwhile(
  config: AgentConfig,
  deps: ManagedEtcdDeps,
  routes: readonly Route[],
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const done = new AbortController();
  const server = createHttpServer(deps, {
    routes,
    host: config.bindAddress,
    port: config.ports.server,
    name: 'join',
    portFlag: '-server-port',
    drainMs: 1000,
    headersTimeoutMs: config.rpcHandshakeTimeoutMs,
    tls: deps.rpcTls.served,
    handshakeTimeoutMs: config.rpcHandshakeTimeoutMs,
  });
  deps.rpcTls.attach(server);
  const task = runnable('joining', async (inner) => {
    await work(inner);
    done.abort();
  });
  const inner = AbortSignal.any([signal, done.signal]);
  try {
    await new RunGroup(deps, { name: 'joining', members: [server, task] }).run({ signal: inner, ready: () => {} });
  } catch (error) {
    // Told to stop, it may have been in the middle of anything.
    if (!signal.aborted) throw error;
  }
}

interface JoiningDeps extends ManagedEtcdDeps {
  readonly formation: Formation;
  readonly file: FormationFile;
  readonly told: () => Promise<ServerCard>;
  readonly process: EtcdProcess;
  readonly calls: JsonCalls;
}

/** From nothing, or from the data of before, to a full member. */
class Joining {
  readonly #deps: JoiningDeps;
  readonly #at: { readonly config: AgentConfig; readonly peerUrl: string; readonly address: string };
  readonly #tries: JoinTries;
  /** The servers that are being asked. */
  readonly #asking = new Set<string>();
  #said = '';
  /** What was said of each server that cannot be spoken to. */
  readonly #warned = new Map<string, string>();

  constructor(deps: JoiningDeps, at: { config: AgentConfig; peerUrl: string; address: string }) {
    this.#deps = deps;
    this.#at = at;
    const { retryIntervalMs: intervalMs, retryMax: max } = at.config;
    this.#tries = new JoinTries(deps, { intervalMs, max });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { process, clock, formation, file } = this.#deps;
    if (process.hasData) return this.#goOn(signal);
    // Its etcd was started and has nothing on disk yet.
    if (process.pid !== undefined && formation.memory().pledged) return this.#bootstrap(signal);
    while (!signal.aborted) {
      await this.#askAll();
      const step = formation.next();
      await file.save(formation.memory());
      const over = step.kind === 'wait' && formation.alone ? this.#tries.refusal(this.#joined) : undefined;
      if (over !== undefined) throw new AppError('unavailable', over);
      if (step.kind === 'refuse') throw new AppError('config', `retry_join: ${step.why}`);
      if (step.kind === 'bootstrap') return this.#bootstrap(signal);
      if (step.kind === 'enter') {
        if (await this.#tryToEnter(step.through, signal)) return;
      } else this.#say(`waits: ${step.why}`);
      await clock.sleep(ASK_MS, signal);
    }
  }

  async #bootstrap(signal: AbortSignal): Promise<void> {
    const { process, random, formation, log } = this.#deps;
    const { config, peerUrl } = this.#at;
    log.info('begins the cluster', {
      servers: formation
        .card()
        .knows.map(({ name }) => name)
        .join(' '),
    });
    process.start({ members: `${config.nodeName}=${peerUrl}`, state: 'new', token: random.uuid() });
    const { clusterId } = await process.answers(signal);
    await this.#quorum(signal);
    await this.#formed(clusterId);
  }

  /** From here on the disk says which cluster it is in, and others may enter through it. */
  async #formed(clusterId: string): Promise<void> {
    const { process, file, formation } = this.#deps;
    await process.keepClusterId(clusterId);
    await file.remove();
    formation.formed(clusterId);
  }

  /** With the data of before. The others may be gone, so it waits for a quorum however long that takes. */
  async #goOn(signal: AbortSignal): Promise<void> {
    const { process, formation, file, log } = this.#deps;
    await this.#askAll(HELLO_MS);
    const step = formation.next();
    if (step.kind === 'enter' && process.pid === undefined && (await this.#wasRemoved(step.through))) {
      formation.dataSetAside();
      await file.save(formation.memory());
      log.warn('this server was taken out while it was away, and enters anew', { old: process.setAside() });
      return this.run(signal);
    }
    process.start();
    const { clusterId } = await this.#answersAsMember(signal);
    const now = formation.next();
    const other = now.kind === 'enter' ? formation.clusterOf(now.through) : clusterId;
    if (other !== clusterId) {
      await process.stop();
      throw new AppError(
        'config',
        `the etcd of data_dir belongs to cluster ${clusterId}, the servers that retry_join names to ${other}; to join ` +
          `them anew, move ${join(this.#at.config.dataDir, 'etcd')} away; to go on with the old one, name its servers`,
      );
    }
    // Others may wait for this one to be asked.
    await this.#formed(clusterId);
    await this.#quorum(signal);
  }

  /** A learner answers nobody: as long as another server can promote it, it is asked to, and the wait goes on. */
  async #answersAsMember(signal: AbortSignal): Promise<Membership> {
    const { process, clock } = this.#deps;
    let until = clock.monotonic() + START_MS;
    for (;;) {
      try {
        return await process.answers(signal, ASK_MS);
      } catch (error) {
        signal.throwIfAborted();
        const given = error instanceof AppError && error.code === 'config';
        if (given || process.pid === undefined || clock.monotonic() > until) throw error;
      }
      await this.#askAll();
      if (!this.#isOfItsCluster()) continue;
      try {
        await this.#becomeFull();
      } catch (error) {
        this.#say(`is not a full member yet: ${errorText(error)}`);
        until = clock.monotonic() + START_MS;
      }
    }
  }

  /** Asks whether other servers are in the cluster that its data is of. */
  async othersGoOn(): Promise<boolean> {
    await this.#askAll();
    return this.#isOfItsCluster();
  }

  /** Whether the servers that were asked are in the cluster that its data is of. */
  #isOfItsCluster(): boolean {
    const { process, formation } = this.#deps;
    const step = formation.next();
    return step.kind === 'enter' && process.clusterId !== '' && formation.clusterOf(step.through) === process.clusterId;
  }

  /** Whether the cluster that this server was in does not know it any more. */
  async #wasRemoved(through: string): Promise<boolean> {
    if (!this.#isOfItsCluster()) return false;
    try {
      return !(await this.#enter(through, true)).known;
    } catch (error) {
      this.#say(`cannot ask ${through} whether it is a member: ${errorText(error)}`);
      return false;
    }
  }

  /** Whether it is a full member now. What the other side refuses for now is tried again. */
  async #tryToEnter(through: string, signal: AbortSignal): Promise<boolean> {
    const { process, random, clock } = this.#deps;
    let answer: EnterAnswer;
    try {
      answer = await this.#enter(through, false);
    } catch (error) {
      this.#say(`cannot enter through ${through} yet: ${errorText(error)}`);
      return false;
    }
    // Should it be taken out before it has ever served, it finds out by this.
    await process.keepClusterId(answer.clusterId);
    process.start({ members: answer.members, state: 'existing', token: random.uuid() });
    while (!signal.aborted) {
      try {
        if (await this.#becomeFull()) break;
      } catch (error) {
        this.#say(`is not a full member yet: ${errorText(error)}`);
      }
      if (process.pid === undefined) throw new AppError('unavailable', `etcd has ended: ${process.lastWords()}`);
      await clock.sleep(ASK_MS, signal);
    }
    await process.answers(signal);
    await this.#quorum(signal);
    await this.#formed(answer.clusterId);
    return true;
  }

  /** Asks to be promoted, through whoever answers; whether it is a full member. */
  async #becomeFull(): Promise<boolean> {
    const step = this.#deps.formation.next();
    return step.kind === 'enter' && (await this.#enter(step.through, true)).promoted;
  }

  async #quorum(signal: AbortSignal): Promise<void> {
    const { process, clock } = this.#deps;
    while (!signal.aborted) {
      try {
        return await process.members.barrier();
      } catch (error) {
        this.#say(`waits for a quorum of etcd: ${errorText(error)}`);
        if (process.pid === undefined) throw new AppError('unavailable', `etcd has ended: ${process.lastWords()}`);
      }
      await clock.sleep(ASK_MS, signal);
    }
  }

  async #enter(through: string, started: boolean): Promise<EnterAnswer> {
    const { config, peerUrl } = this.#at;
    const { calls } = this.#deps;
    const text = await this.#put(`${calls.scheme}://${through}${ENTER_PATH}`, {
      name: config.nodeName,
      peerUrl,
      started,
    });
    return JSON.parse(text) as EnterAnswer;
  }

  /** Those that are told to be joined, without this one. */
  get #joined(): string[] {
    const { scheme } = this.#deps.calls;
    const { config, address } = this.#at;
    const origins = config.retryJoin.map((target) => serverOrigin(target, scheme));
    return [...new Set(origins)].filter((origin) => origin !== `${scheme}://${address}`);
  }

  /** One that does not answer at once does not hold up the others: what it answers counts when it comes. */
  async #askAll(withinMs = ROUND_MS): Promise<void> {
    const { formation, told, calls, clock } = this.#deps;
    const card = await told();
    const known = formation.addresses().map((address) => `${calls.scheme}://${address}`);
    const due = this.#tries.due(new Set([...this.#joined, ...known])).filter((origin) => !this.#asking.has(origin));
    const over = new AbortController();
    const all = Promise.all(due.map((origin) => this.#ask(origin, card)));
    await Promise.race([all, clock.sleep(withinMs, over.signal)]);
    over.abort();
  }

  async #ask(origin: string, card: ServerCard): Promise<void> {
    const { formation } = this.#deps;
    this.#asking.add(origin);
    try {
      const heard = cardOf(Buffer.from(await this.#put(`${origin}${HELLO_PATH}`, card, HELLO_MS)));
      if (heard.id === card.id) throw new AppError('config', `${origin}: is this server itself`);
      formation.heard(heard);
      this.#tries.answered(origin);
    } catch (error) {
      this.#tries.failed(origin, errorText(error));
      this.#unreachable(origin, error);
    } finally {
      this.#asking.delete(origin);
    }
  }

  /** A server that has not begun is nothing new; one that TLS keeps apart does not come by itself. */
  #unreachable(server: string, error: unknown): void {
    const { log } = this.#deps;
    const why = error instanceof AppError ? error.facts.tls : undefined;
    if (typeof why !== 'string') {
      log.debug('a server does not answer', { server, error: errorText(error) });
      return;
    }
    if (this.#warned.get(server) === why) return;
    this.#warned.set(server, why);
    log.warn('a server cannot be spoken to', { server, why });
  }

  async #put(url: string, body: object, withinMs = CALL_MS): Promise<string> {
    const { calls, formation } = this.#deps;
    const { status, text } = await calls.call('PUT', url, body, withinMs).catch((error) => {
      formation.silent(new URL(url).host);
      throw error;
    });
    if (status === 200) return text;
    const facts = status === 403 ? { tls: text.slice(0, 500) } : {};
    throw new AppError('unavailable', `${url}: ${status} ${text.slice(0, 500)}`, { facts });
  }

  /** Each state once, however often it is looked at. */
  #say(what: string): void {
    if (what === this.#said) return;
    this.#said = what;
    this.#deps.log.info(what);
  }
}
