import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentConfig, ConfigReloads } from '../../agent/config.ts';
import { type RpcTls, rpcServerName } from '../../agent/tls/rpc-tls.ts';
import type { TlsFiles } from '../../agent/tls/server-certificate.ts';
import type { Route } from '../../api/http/route.ts';
import { createHttpServer } from '../../api/http/server.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { hostPort } from '../../core/host-port.ts';
import { InTurn } from '../../core/in-turn.ts';
import { RunGroup, type Runnable, runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { Random } from '../../core/random.ts';
import type { ComposedServer } from '../../server/composition.ts';
import type { EtcdTls } from '../../store/etcd/member-connections.ts';
import { CATALOG_FOLDER, ETCD_FOLDER } from '../cluster-folder.ts';
import type { NodePlace } from '../server-agent.ts';
import { DeadMembers } from './dead-members.ts';
import { enterRoute } from './entering.ts';
import { EtcdProcess, type EtcdProcessOptions } from './etcd-process.ts';
import { readEtcdProgram } from './etcd-program.ts';
import { forServers } from './for-servers.ts';
import { Formation } from './formation.ts';
import { FormationFile } from './formation-file.ts';
import { joinRoutes } from './join-routes.ts';
import { Joining } from './joining.ts';
import { JsonCalls } from './json-calls.ts';
import type { ServerCard } from './known-servers.ts';
import type { LeadingServer } from './leading-server.ts';
import { Leaving, leaveRoute } from './leaving.ts';
import { MemberTls } from './member-tls.ts';
import { tlsArgs, tlsShortfalls } from './member-tls-args.ts';
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
  const folder = join(dataDir, CATALOG_FOLDER);
  if (existsSync(folder)) {
    log.warn('the catalog of a single server lies here and is not used; move it with lictor snapshot', { folder });
  }
  const { version, flags } = await readEtcdProgram(ports.bin);
  log.info(version, { bin: ports.bin });
  const calls = new JsonCalls(deps.rpcTls.outgoing);
  const { scheme } = calls;
  const at = { folder: join(dataDir, ETCD_FOLDER, 'tls'), address: place.address };
  const memberTls = scheme === 'https' ? new MemberTls(deps, config, at) : undefined;
  const withScheme = (as: string): EtcdProcessOptions => ({
    bin: ports.bin,
    folder: join(dataDir, ETCD_FOLDER),
    name: nodeName,
    clientUrl: `${as}://${hostPort(clientHost(bindAddress), ports.clientPort)}`,
    listenPeerUrl: `${as}://${hostPort(bindAddress, ports.peerPort)}`,
    peerUrl: `${as}://${hostPort(place.address, ports.peerPort)}`,
    ...(memberTls && as === 'https' ? { tlsArgs: () => tlsArgs(memberTls.files, flags) } : {}),
  });
  const { peerUrl } = withScheme(scheme);
  const process = new EtcdProcess({ ...deps, log, calls }, withScheme(scheme));
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
    const warn = () => {
      for (const line of tlsShortfalls(memberTls.files, flags)) log.warn(line);
    };
    warn();
    deps.reloads.add((next) => {
      const change = memberTls.prepare(next);
      return async () => {
        const forEtcd = change();
        renew(memberTls.client);
        if (!forEtcd) return;
        warn();
        await process.restart();
      };
    });
  }
  const address = hostPort(place.address, config.ports.server);
  const { datacenter, bootstrapExpect } = config;
  const file = new FormationFile(join(dataDir, ETCD_FOLDER));
  const self = { name: nodeName, id: place.nodeId, address, datacenter, expect: bootstrapExpect };
  // With data of a cluster it never waits to form one, whatever it has said before.
  const formation = new Formation(self, process.hasData ? { pledged: true, counted: [] } : await file.read());
  const isAlive = (url: string) => calls.isAlive(url);
  const told = () => toldCard(formation, process, file);
  let leading: LeadingServer | undefined;
  const membership = new InTurn();
  const asking = { log, calls, membership, server: () => leading };
  const leavingDeps = { ...deps, ...asking, process };
  const leaving = new Leaving(leavingDeps, { name: nodeName, id: place.nodeId });
  const asked = [
    ...joinRoutes({ formation, told }),
    enterRoute({ ...asking, formation, members: process.members }),
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
        { clock: deps.clock, log, members: process.members, membership, isAlive, ...server.operator, leads },
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
