import { kvJson } from '../../api/shapes/kv.ts';
import { type KvOp, TXN_WRITES } from '../../api/shapes/txn.ts';
import { compareKeys } from '../../store/key-order.ts';
import type { Key } from '../../store/store.ts';
import type { Known } from '../catalog/plan.ts';
import { type KvSessions, lockContent, matchesIndex, setContent, unlockContent } from '../kv/kv-change.ts';
import { keyOfRest, kvRest } from '../kv/kv-keys.ts';
import { encodeKv, type KvContent, type KvEntry, sameContent } from '../kv/kv-record.ts';
import type { KvTable } from '../kv/kv-table.ts';
import { type DraftIndexes, type TxnContext, TxnRefusal } from './txn-context.ts';

export interface KvOpDeps {
  readonly keys: KvTable;
  readonly sessions: KvSessions;
}

interface DraftKey extends KvContent, DraftIndexes {
  readonly key: string;
  /** See `KvEntry.broken`. */
  readonly broken?: string;
}

/** Keys of one tree that are relied upon one by one, as long as the draft does so; of larger ones only that nothing was put there. */
const MAX_RELIED = 32;

/** Consul's text for an operation that says no session. */
const NO_SESSION = 'missing session';

const VERBS = new Set([
  'set',
  'cas',
  'lock',
  'unlock',
  'get',
  'get-or-empty',
  'get-tree',
  'check-index',
  'check-session',
  'check-not-exists',
  'delete',
  'delete-tree',
  'delete-cas',
]);

/** What must be stored before the operation can be tried, because a session has ended; undefined: nothing. */
export function endingBefore(deps: KvOpDeps, namespace: string, op: KvOp): Promise<void> | undefined {
  if (!TXN_WRITES.has(op.verb) || op.verb === 'delete-tree') return undefined;
  return deps.sessions.ending(kvRest(op.namespace ?? namespace, op.key), op.verb === 'lock' ? op.session : undefined);
}

/** What is wrong with the operation itself. */
export function kvProblem({ verb, key }: KvOp): string | undefined {
  if (!VERBS.has(verb)) return `unknown KV operation: ${verb}`;
  return key === '' && verb !== 'delete-tree' && verb !== 'get-tree' ? 'Must provide key' : undefined;
}

/** One operation on keys. @throws TxnRefusal when its condition does not hold. */
export class KvOperation {
  readonly #deps: KvOpDeps;
  readonly #context: TxnContext;
  readonly #op: KvOp;
  readonly #namespace: string;
  readonly #rest: string;
  readonly #place: Key;

  constructor(deps: KvOpDeps, context: TxnContext, op: KvOp) {
    this.#deps = deps;
    this.#context = context;
    this.#op = op;
    this.#namespace = op.namespace ?? context.namespace;
    this.#rest = kvRest(this.#namespace, op.key);
    this.#place = context.state.keys.table(deps.keys.segment, this.#rest);
  }

  run(): void {
    const { verb, key, index, session } = this.#op;
    if (verb === 'get-tree') {
      this.#getTree();
      return;
    }
    if (verb === 'delete-tree') {
      this.#deleteTree();
      return;
    }
    const before = this.#read();
    const current = indexed(before);
    switch (verb) {
      case 'get':
        this.#show(this.#required(before), true);
        return;
      case 'get-or-empty':
        this.#show(before ?? empty(key), true);
        return;
      case 'check-not-exists':
        if (before) throw new TxnRefusal(`key ${q(key)} exists`);
        return;
      case 'check-index':
        if (!matchesIndex(indexed(this.#required(before)), index)) {
          throw new TxnRefusal(
            `failed index check for key ${q(key)}, current modify index ${current!.modifyIndex} != ${index}`,
          );
        }
        this.#show(before!, false);
        return;
      case 'check-session':
        if (this.#required(before).session !== session) {
          const held = before!.session;
          throw new TxnRefusal(`failed session check for key ${q(key)}, current session ${q(held)} != ${q(session)}`);
        }
        this.#show(before!, false);
        return;
      case 'delete-cas':
        if (before && !matchesIndex(current, index)) {
          throw new TxnRefusal(`failed to delete key ${q(key)}, index is stale`);
        }
        this.#context.draft.delete(this.#place, this.#base());
        return;
      case 'delete':
        this.#context.draft.delete(this.#place, this.#base());
        return;
      default:
        this.#write(before, this.#after(before));
        return;
    }
  }

  #after(before: DraftKey | undefined): KvContent {
    const { verb, key, index, session } = this.#op;
    if (verb === 'lock') return this.#lock(before);
    if (verb === 'unlock') {
      if (session === '') throw new TxnRefusal(NO_SESSION);
      const after = unlockContent(before, this.#op, session);
      if (after) return after;
      throw new TxnRefusal(`failed to unlock key ${q(key)}, lock isn't held, or is held by another session`);
    }
    if (verb === 'cas' && !matchesIndex(indexed(before), index)) {
      throw new TxnRefusal(`failed to set key ${q(key)}, index is stale`);
    }
    return setContent(before, this.#op);
  }

  #lock(before: DraftKey | undefined): KvContent {
    const { sessions } = this.#deps;
    const { key, session } = this.#op;
    if (session === '') throw new TxnRefusal(NO_SESSION);
    const found = sessions.find(session, this.#namespace);
    if (!found) throw new TxnRefusal(`invalid session ${q(session)}`);
    const delayed = before?.session === session ? undefined : sessions.delayedUntil(this.#rest);
    if (delayed !== undefined) {
      throw new TxnRefusal(`failed to lock key ${q(key)} due to lock delay until ${new Date(delayed).toISOString()}`);
    }
    this.#context.draft.read(found.key, { known: found.known, value: true });
    const after = lockContent(before, this.#op, session);
    if (!after) throw new TxnRefusal(`failed to lock key ${q(key)}, lock is already held`);
    return after;
  }

  #write(before: DraftKey | undefined, after: KvContent): void {
    if (before && sameContent(before, after)) {
      this.#show(before, false);
      return;
    }
    const now: DraftKey = { ...after, key: this.#op.key, create: before?.create, modify: undefined };
    this.#context.draft.put(this.#place, this.#base(), now, encodeKv(after));
    this.#show(now, false);
  }

  #getTree(): void {
    const { draft, state } = this.#context;
    const range = state.keys.tableRange(this.#deps.keys.segment, this.#rest);
    const found = new Map<Key, DraftKey>();
    let relied = 0;
    for (const entry of this.#deps.keys.withPrefix(this.#rest)) {
      const place = state.keys.table(this.#deps.keys.segment, entry.rest);
      if (draft.wasDeleted(place)) continue;
      found.set(place, draftKey(entry));
      if (relied++ < MAX_RELIED) draft.readInRange(place, { known: entry, value: draftKey(entry) });
    }
    for (const { key, now } of draft.within(range)) {
      if (now) found.set(key, now as DraftKey);
      else found.delete(key);
    }
    draft.relyRange(range, state.revision);
    for (const place of [...found.keys()].sort(compareKeys)) this.#show(found.get(place)!, true);
  }

  #deleteTree(): void {
    const { draft, state } = this.#context;
    const { keys } = this.#deps;
    const present = new Map<Key, Known>();
    for (const entry of keys.withPrefix(this.#rest)) present.set(state.keys.table(keys.segment, entry.rest), entry);
    draft.deleteRange(state.keys.tableRange(keys.segment, this.#rest), present);
  }

  #base(): { known: Known; value: DraftKey } | undefined {
    const entry = this.#deps.keys.get(this.#rest);
    return entry && { known: entry, value: draftKey(entry) };
  }

  #read(): DraftKey | undefined {
    return this.#context.draft.read<DraftKey>(this.#place, this.#base());
  }

  #required(before: DraftKey | undefined): DraftKey {
    if (!before) throw new TxnRefusal(`key ${q(this.#op.key)} doesn't exist`);
    return before;
  }

  #show(shown: DraftKey, withValue: boolean): void {
    if (shown.broken !== undefined) throw new TxnRefusal(shown.broken);
    this.#context.result((index) => {
      const item = { ...shown, createIndex: shown.create ?? index, modifyIndex: shown.modify ?? index };
      return { KV: kvJson(item, this.#namespace, withValue) };
    });
  }
}

function draftKey(entry: KvEntry): DraftKey {
  const { flags, lockIndex, session, value, createIndex, modifyIndex, rest, broken } = entry;
  const key = keyOfRest(rest);
  const draft = { key, flags, lockIndex, session, value, create: createIndex, modify: modifyIndex };
  return broken === undefined ? draft : { ...draft, broken };
}

function empty(key: string): DraftKey {
  return { key, flags: 0n, lockIndex: 0, session: '', value: new Uint8Array(0), create: 0, modify: 0 };
}

/** What was written in this transaction has an index that nobody can know. */
function indexed(key: DraftKey | undefined): { modifyIndex: number } | undefined {
  return key && { modifyIndex: key.modify ?? -1 };
}

function q(text: string): string {
  return JSON.stringify(text);
}
