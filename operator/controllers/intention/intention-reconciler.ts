import type { Clock } from '../../../core/clock.ts';
import { AppError } from '../../../core/errors.ts';
import type { CounterMetric, Metrics } from '../../../core/metrics.ts';
import type { Intention } from '../../../crds/types/index.ts';
import type { CatalogClient } from '../../catalog-client/catalog-client.ts';
import type { IntentionView } from '../../indexes/intention-view.ts';
import type { IntentionClient } from '../../intention-client/intention-client.ts';
import { type IntentionMirror, type MirroredEntry, mirrored } from '../../intention-mirror/intention-mirror.ts';
import type { Leadership } from '../../manager/leadership.ts';
import type { ObjectKey } from '../../object-source.ts';
import type { ConditionWish } from '../../status/conditions.ts';
import { readyOf } from '../../status/conditions.ts';
import type { StatusWriter } from '../../status/status-writer.ts';
import type { DeleteEvidence } from '../../sweep-guard/delete-evidence.ts';
import type { SweepGuard } from '../../sweep-guard/sweep-guard.ts';
import { DONE, type Reconciler, type Result } from '../controller.ts';
import { Handovers, LEFT_AGAIN_MS } from '../handovers.ts';
import { allowsSweep, intentionRef } from '../identity.ts';
import { isRefusal } from '../refusal.ts';
import { isoSeconds } from '../service/service-reconciler.ts';
import { HELD_MS, SWEEPING } from '../sweeping.ts';
import { decideEntry, surplusEntries } from './decide-entry.ts';
import { type IntentionOutcome, intentionStatus } from './intention-status.ts';
import { type PlannedEntry, planIntention } from './plan-intention.ts';

export interface IntentionReconcilerDeps {
  readonly view: IntentionView;
  readonly mirror: IntentionMirror;
  readonly client: IntentionClient;
  /** Asked for the owner's epoch before each write, as configuration entries have no fencing of their own. */
  readonly catalog: Pick<CatalogClient, 'ownerState'>;
  readonly leadership: Leadership;
  readonly guard: SweepGuard;
  readonly evidence: DeleteEvidence;
  readonly status: StatusWriter;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/**
 * A refused entry is tried again after so long: the servers judge it together with others (the protocol of the
 * destination, the providers of tokens), which may come later.
 */
const REFUSED_MS = 30_000;

/**
 * What was read is ahead of the mirror, which then may never show it: it is looked at again until they agree, as a change in
 * between would not be told.
 */
const AHEAD_MS = 500;

/** How an attempt to write a planned entry ended; `ahead`: going by an entry that the mirror has not seen yet. */
type Written =
  | { readonly as: 'declared'; readonly ahead?: boolean }
  | { readonly as: 'foreign'; readonly entry: MirroredEntry; readonly ahead: boolean }
  | { readonly as: 'refused'; readonly text: string };

/** Brings the service-intentions entry of one Intention to what is declared, then says so in its status. */
export class IntentionReconciler implements Reconciler {
  readonly kind = 'Intention';
  readonly #deps: IntentionReconcilerDeps;
  readonly #owner: string;
  readonly #handovers: Handovers;
  readonly #writes: CounterMetric;

  constructor(deps: IntentionReconcilerDeps, options: { owner: string }) {
    this.#deps = deps;
    this.#owner = options.owner;
    this.#handovers = new Handovers(deps);
    this.#writes = deps.metrics.counter({
      name: 'lictor_operator_intention_writes_total',
      help: 'service-intentions entries written and deleted at the servers.',
      labels: ['operation'],
    });
  }

  async reconcile(key: ObjectKey, signal: AbortSignal): Promise<Result> {
    const { view, mirror, guard, evidence } = this.#deps;
    if (!view.source.synced() || !mirror.synced()) {
      throw new AppError('notSynced', 'what is declared and what the servers hold is not known yet');
    }
    const intention = view.source.get(key);
    const ref = intentionRef(key);
    const destination = intention?.spec.destination.service;
    const holder = destination === undefined ? undefined : view.holder(destination);
    const planned = intention && holder === key ? planIntention(intention, this.#owner) : undefined;

    const sight = evidence.latest(ref);
    const { surplus, left } = this.#surplus(ref, planned?.entry.Name);
    const inferred = allowsSweep(intention) || evidence.has(ref) ? 0 : surplus.length;
    guard.visit(ref, inferred);
    const verdict = inferred > 0 ? guard.verdict(ref) : 'go';
    // What was seen took nothing away: it is no evidence for what comes later, however the write ends.
    if (intention && surplus.length === 0 && !left) evidence.forget(ref);
    const written = planned && (await this.#write(planned, signal));
    if (planned) this.#note(ref, planned, written);
    if (verdict === 'go') {
      for (const [at, { destination: name }] of surplus.entries()) {
        await this.#remove(name, ref, signal);
        // Counted down with the entries themselves, so that the share of those who wait does not grow by it.
        guard.visit(ref, inferred > 0 ? surplus.length - at - 1 : 0);
      }
      // Of one that is gone an entry may yet show that was written without an acknowledgement.
      if (!left && (intention || surplus.length > 0)) evidence.carriedOut(ref, sight);
    }
    const again = left ? LEFT_AGAIN_MS : verdict === 'go' ? undefined : HELD_MS;
    if (!intention) return again === undefined ? DONE : { requeueAfterMs: again };
    const outcome = this.#outcome(intention, { holder, written, verdict });
    const result = await this.#show(intention, outcome, signal);
    if ('requeueAfterMs' in result) return result;
    if (again !== undefined) return { requeueAfterMs: again };
    if (written?.as === 'refused') return { requeueAfterMs: REFUSED_MS };
    return written?.ahead ? { requeueAfterMs: AHEAD_MS } : DONE;
  }

  /** The entries that an object declared and that have to go; `left`: others are left to who is about to take them over. */
  #surplus(ref: string, wanted: string | undefined): { surplus: MirroredEntry[]; left: boolean } {
    const { view, mirror } = this.#deps;
    const unwanted = surplusEntries(mirror.byRef(ref), wanted);
    const taken = unwanted.filter(({ destination }) => {
      const holder = view.holder(destination);
      const other = holder === undefined ? undefined : view.source.get(holder);
      if (!holder || !other) return false;
      const key = destination.toLowerCase();
      return this.#handovers.mayWrite(intentionRef(holder), { key, hash: planIntention(other, this.#owner).digest });
    });
    const left = this.#handovers.leave(
      ref,
      taken.map(({ destination }) => ({ key: destination })),
    );
    return { surplus: unwanted.filter(({ destination }) => !left.has(destination)), left: left.size > 0 };
  }

  #note(ref: string, { entry, digest }: PlannedEntry, written: Written | undefined): void {
    const entryOf = { key: entry.Name.toLowerCase(), hash: digest };
    if (written?.as === 'refused') this.#handovers.refused(ref, entryOf);
    else if (written?.as === 'declared') this.#handovers.taken(entryOf);
  }

  async failed(
    key: ObjectKey,
    failure: { reason: string; message: string; terminal: boolean },
    signal: AbortSignal,
  ): Promise<Result> {
    const intention = this.#deps.view.source.get(key);
    if (!intention) return DONE;
    const { reason, message } = failure;
    const Ready = readyOf(intention.status) ?? { status: 'Unknown' as const, reason, message };
    const wishes = { Ready, [failure.terminal ? 'Stalled' : 'Reconciling']: { status: 'True', reason, message } };
    return this.#show(intention, { wishes, overriddenBy: intention.status?.overriddenBy?.[0] }, signal);
  }

  /** Writes a planned entry unless the servers have it. What is theirs now decides, not what the mirror last saw. */
  async #write({ entry, digest }: PlannedEntry, signal: AbortSignal): Promise<Written> {
    const { mirror, client } = this.#deps;
    const isOwn = (found: MirroredEntry) => mirror.isOwn(found);
    const seen = mirror.get(entry.Name);
    if (seen && decideEntry(digest, seen, isOwn).do === 'nothing') return { as: 'declared' };
    const shown = await client.read(entry.Name, signal);
    const found = shown && mirrored(shown);
    const ahead = mirror.get(entry.Name)?.version !== found?.version;
    const decision = decideEntry(digest, found, isOwn);
    if (decision.do === 'nothing') return { as: 'declared', ahead };
    if (decision.do === 'leave') return { as: 'foreign', entry: decision.foreign, ahead };
    await this.#assertLeading(signal);
    this.#writes.add(1, { operation: 'put' });
    try {
      if (!(await client.put(entry, decision.cas, signal))) throw changedMeanwhile(entry.Name);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return { as: 'refused', text: error.message };
    }
    mirror.wrote(mirrored({ ...entry, ModifyIndex: decision.cas }));
    return { as: 'declared' };
  }

  /** Deletes an entry that this object declared, if it still did. */
  async #remove(destination: string, ref: string, signal: AbortSignal): Promise<void> {
    const { mirror, client } = this.#deps;
    const shown = await client.read(destination, signal);
    if (!shown) return;
    const found = mirrored(shown);
    if (!mirror.isOwn(found) || found.ref !== ref) return; // another took it over, which is as good
    await this.#assertLeading(signal);
    this.#writes.add(1, { operation: 'delete' });
    if (!(await client.delete(destination, found.modifyIndex, signal))) throw changedMeanwhile(destination);
    mirror.deleted(destination);
  }

  async #assertLeading(signal: AbortSignal): Promise<void> {
    const { catalog, leadership } = this.#deps;
    const { Epoch: epoch } = await catalog.ownerState(this.#owner, signal);
    if (epoch > leadership.epoch) leadership.lost(`epoch ${leadership.epoch} is below ${epoch}`);
    leadership.check();
  }

  #outcome(
    intention: Intention,
    found: { holder: ObjectKey | undefined; written: Written | undefined; verdict: 'go' | 'wait' | 'held' },
  ): IntentionOutcome {
    const { holder, written, verdict } = found;
    if (!this.#deps.view.isSupported(intention)) return { wishes: { Ready: NOT_SUPPORTED } };
    const { service: destination } = intention.spec.destination;
    if (!written) {
      const message =
        `Intention ${holder}, which is older, declares the destination "${destination}"; add the sources to that one, or ` +
        'delete one of the two';
      return { wishes: { Ready: conflict(message) }, overriddenBy: `Intention ${holder}` };
    }
    if (written.as === 'foreign') return foreignOutcome(destination, written.entry);
    if (written.as === 'refused') {
      const wish = { reason: 'Refused', message: written.text };
      return { wishes: { Ready: { status: 'False', ...wish }, Stalled: { status: 'True', ...wish } } };
    }
    if (verdict === 'held') return { wishes: { Ready: this.#held() } };
    const count = intention.spec.sources.length;
    const message = `${count} ${count === 1 ? 'source is' : 'sources are'} in the intentions of "${destination}"`;
    const Ready: ConditionWish = { status: 'True', reason: 'Synced', message };
    if (verdict === 'go') return { wishes: { Ready } };
    return { wishes: { Ready, Reconciling: SWEEPING } };
  }

  #held(): ConditionWish {
    const message =
      `this object had another destination before, but ${this.#deps.guard.describe()}; if that is right, annotate this ` +
      'Intention with lictor.dev/allow-sweep=true';
    return { status: 'False', reason: 'SweepHeld', message };
  }

  #show(intention: Intention, outcome: IntentionOutcome, signal: AbortSignal): Promise<Result> {
    const { status, clock } = this.#deps;
    return status.write(intention, intentionStatus(intention, outcome, isoSeconds(clock.now())), signal);
  }
}

const NOT_SUPPORTED: ConditionWish = {
  status: 'False',
  reason: 'NamespaceNotSupported',
  message:
    'the servers have intentions in the catalog namespace default only; with --namespaces=mirror declare this one in the ' +
    'namespace default',
};

function conflict(message: string): ConditionWish {
  return { status: 'False', reason: 'Conflict', message };
}

function foreignOutcome(destination: string, { owner, ref }: MirroredEntry): IntentionOutcome {
  const by = owner === undefined ? 'without Kubernetes' : `by ${owner}${ref === undefined ? '' : ` for ${ref}`}`;
  const message =
    `the intentions of "${destination}" were written ${by} and are left as they are; add their sources here and delete ` +
    `them at the servers (DELETE /v1/config/service-intentions/${destination}), or delete this Intention`;
  return { wishes: { Ready: conflict(message) }, overriddenBy: `service-intentions ${destination} (${by})` };
}

function changedMeanwhile(destination: string): AppError {
  return new AppError('conflict', `the service-intentions entry of "${destination}" was changed meanwhile`);
}
