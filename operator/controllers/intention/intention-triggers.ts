import type { Intention } from '../../../crds/types/index.ts';
import type { IntentionView } from '../../indexes/intention-view.ts';
import type { IntentionMirror, MirroredEntry } from '../../intention-mirror/intention-mirror.ts';
import { type ChangeCause, keyOf, type ObjectKey } from '../../object-source.ts';
import type { DeleteEvidence } from '../../sweep-guard/delete-evidence.ts';
import type { SweepGuard } from '../../sweep-guard/sweep-guard.ts';
import type { WorkQueue } from '../../work-queue/work-queue.ts';
import { intentionKeyOfRef, intentionRef } from '../identity.ts';

export interface IntentionTriggerDeps {
  readonly view: IntentionView;
  readonly mirror: IntentionMirror;
  readonly guard: SweepGuard;
  readonly evidence: DeleteEvidence;
  readonly queue: WorkQueue;
}

/** Turns changes of Intentions and of the servers' entries into keys to reconcile, and notes what was seen happening. */
export class IntentionTriggers {
  readonly #deps: IntentionTriggerDeps;
  readonly #unsubscribe: (() => void)[];

  constructor(deps: IntentionTriggerDeps) {
    this.#deps = deps;
    this.#unsubscribe = [
      deps.view.source.subscribe((key, old, current, cause) => this.#intention(key, { old, current, cause })),
      deps.mirror.subscribe((old, current, cause) => {
        // Of what a list shows nobody was seen asking for it.
        for (const entry of [old, current]) if (entry) this.#entry(entry, cause === 'write' ? 'watch' : 'relist');
      }),
      deps.guard.onSettled((refs) => {
        for (const ref of refs) this.#addRef(ref);
      }),
    ];
  }

  /**
   * Enqueues everything: what is declared, and what the servers hold for objects that are gone. To be called when the
   * source and the mirror are synced, since only then a reconcile can say what is missing.
   */
  all(): void {
    const { mirror, guard, queue } = this.#deps;
    for (const ref of mirror.refs()) if (intentionKeyOfRef(ref) !== undefined) guard.expectVisit(ref);
    for (const key of this.keys()) if (key !== undefined) queue.add(key);
  }

  /** Every Intention that is declared, or that the servers hold an entry for; undefined for an entry of one that is declared. */
  *keys(): Generator<ObjectKey | undefined> {
    const { view, mirror } = this.#deps;
    for (const intention of view.source.list()) yield keyOf(intention);
    for (const ref of mirror.refs()) {
      const key = intentionKeyOfRef(ref);
      yield key === undefined || view.source.get(key) ? undefined : key;
    }
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  #intention(
    key: ObjectKey,
    change: { old: Intention | undefined; current: Intention | undefined; cause: ChangeCause },
  ): void {
    const { view, evidence } = this.#deps;
    const { old, current, cause } = change;
    const changed =
      old?.metadata.generation !== current?.metadata.generation || old?.metadata.uid !== current?.metadata.uid;
    if (cause === 'watch' && old && changed) evidence.note(intentionRef(key));
    this.#add(key, cause);
    if (!changed) return;
    // Who declares the same destination may get it now, or lose it.
    for (const each of [old, current]) {
      if (each) for (const other of view.declaring(each.spec.destination.service)) this.#add(other, cause);
    }
  }

  #entry(entry: MirroredEntry, cause: ChangeCause): void {
    const { view, mirror } = this.#deps;
    if (mirror.isOwn(entry)) {
      const key = intentionKeyOfRef(entry.ref!);
      if (key !== undefined) this.#add(key, cause);
    }
    for (const key of view.declaring(entry.destination)) this.#add(key, cause);
  }

  #add(key: ObjectKey, cause: ChangeCause): void {
    if (cause === 'relist') this.#deps.guard.expectVisit(intentionRef(key));
    this.#deps.queue.add(key);
  }

  #addRef(ref: string): void {
    const key = intentionKeyOfRef(ref);
    if (key !== undefined) this.#deps.queue.add(key);
  }
}
