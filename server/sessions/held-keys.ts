import type { ApplyContext } from '../catalog/state-table.ts';
import type { KvTable } from '../kv/kv-table.ts';
import type { LockDelays } from './lock-delays.ts';
import { lockDelayMs } from './session-rules.ts';
import type { Holdings, SessionEntry } from './session-table.ts';

export interface HeldKeysDeps {
  readonly keys: KvTable;
  readonly delays: LockDelays;
}

/**
 * The keys of sessions, as all servers show them: with the transaction that marks a session as dead they are let go of and
 * their lock delays begin, all at once, though the store follows piece by piece.
 */
export class HeldKeys implements Holdings {
  readonly #deps: HeldKeysDeps;

  constructor(deps: HeldKeysDeps) {
    this.#deps = deps;
  }

  letGo({ shape, stored }: SessionEntry, context: ApplyContext): void {
    const { keys, delays } = this.#deps;
    const how = { deletes: shape.Behavior === 'delete', index: shape.ModifyIndex };
    const held = keys.letGo(shape.ID, how, context);
    const delayMs = lockDelayMs(shape);
    if (delayMs === 0) return;
    const record = { untilMs: stored.record.deadSinceMs! + delayMs, delayMs };
    for (const rest of held) delays.begin(rest, record, context);
  }

  forget(id: string): void {
    this.#deps.keys.forgetSession(id);
  }

  settle(context: ApplyContext): void {
    this.#deps.keys.settle(context);
  }
}
