import { join } from 'node:path';
import type { AgentConfig } from '../../agent/config.ts';
import { serverOrigin } from '../../agent/server-pool/server-address.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import type { Random } from '../../core/random.ts';
import { ETCD_FOLDER } from '../cluster-folder.ts';
import { ENTER_PATH, type EnterAnswer } from './entering.ts';
import { type EtcdProcess, START_MS } from './etcd-process.ts';
import type { Formation } from './formation.ts';
import type { FormationFile } from './formation-file.ts';
import { cardOf, HELLO_PATH } from './join-routes.ts';
import { JoinTries } from './join-tries.ts';
import type { JsonCalls } from './json-calls.ts';
import type { ServerCard } from './known-servers.ts';
import type { Membership } from './members.ts';
import { strandedText } from './stranded.ts';

const ASK_MS = 500;
const CALL_MS = 15_000;
const HELLO_MS = 5000;
const STRANDED_EVERY_MS = 60_000;
/** How often a server is asked in a round when another answer of its name comes meanwhile. */
const TRIES = 2;
/** A round of asking does not wait longer for answers. */
const ROUND_MS = 1000;

export interface JoiningDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: Random;
  readonly formation: Formation;
  readonly file: FormationFile;
  readonly told: () => Promise<ServerCard>;
  readonly process: EtcdProcess;
  readonly calls: JsonCalls;
}

/** From nothing, or from the data of before, to a full member. */
export class Joining {
  readonly #deps: JoiningDeps;
  readonly #at: { readonly config: AgentConfig; readonly peerUrl: string; readonly address: string };
  readonly #tries: JoinTries;
  /** The servers that are being asked. */
  readonly #asking = new Set<string>();
  #said = '';
  #stranded = { saidMs: 0, said: '' };
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
          `them anew, move ${join(this.#at.config.dataDir, ETCD_FOLDER)} away; to go on with the old one, name its servers`,
      );
    }
    // Others may wait for this one to be asked.
    await this.#formed(clusterId);
    await this.#quorum(signal, async () => {
      await this.#askAll(HELLO_MS);
      await this.#isStranded();
    });
    await this.#tellWhere();
  }

  /** Where no other server was there to be told that this one has moved, its own etcd tells them. */
  async #tellWhere(): Promise<void> {
    const { members: etcd } = this.#deps.process;
    const { peerUrl } = this.#at;
    try {
      const { members, ownId } = await etcd.list();
      const own = members.find(({ id }) => id === ownId);
      if (own && !own.peerUrls.includes(peerUrl)) await etcd.move(ownId, peerUrl);
    } catch (error) {
      this.#deps.log.warn('the other members could not be told where this one is', { peerUrl, text: errorText(error) });
    }
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
      // With all of them elsewhere there is no end to the wait but the operator's.
      if (await this.#isStranded()) until = clock.monotonic() + START_MS;
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
      // One that was started again meanwhile has said that it waits, and says no more by itself.
      await this.#askAll();
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

  async #quorum(signal: AbortSignal, meanwhile: () => Promise<void> = async () => {}): Promise<void> {
    const { process, clock } = this.#deps;
    while (!signal.aborted) {
      try {
        return await process.members.barrier();
      } catch (error) {
        this.#say(`waits for a quorum of etcd: ${errorText(error)}`);
        if (process.pid === undefined) throw new AppError('unavailable', `etcd has ended: ${process.lastWords()}`);
        await meanwhile();
      }
      await clock.sleep(ASK_MS, signal);
    }
  }

  /** Whether no quorum can come by itself, which is said again each minute. */
  async #isStranded(): Promise<boolean> {
    const { process, formation, log, clock } = this.#deps;
    const { peerUrl, config } = this.#at;
    try {
      const members = await process.members.listAtPeerPort(peerUrl);
      const text = strandedText({ members, ownName: config.nodeName, peerUrl, heard: formation.places });
      if (text === undefined) return false;
      const { saidMs, said } = this.#stranded;
      if (text === said && clock.monotonic() < saidMs + STRANDED_EVERY_MS) return true;
      this.#stranded = { saidMs: clock.monotonic(), said: text };
      log.error(text, { knows: process.committed(), end: process.endCommand(), begin: process.standaloneCommand() });
      return true;
    } catch (error) {
      log.debug('etcd does not tell its members', { error: errorText(error) });
      return false;
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
      for (let counts = false, tries = 0; !counts && tries < TRIES; tries++) {
        const question = formation.question();
        const heard = cardOf(Buffer.from(await this.#put(`${origin}${HELLO_PATH}`, card, HELLO_MS)));
        if (heard.id === card.id) throw new AppError('config', `${origin}: is this server itself`);
        counts = formation.heard(heard, question);
      }
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
