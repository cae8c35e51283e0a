import type { IntentionPermission, JwtRequirement } from '../../api/shapes/config-entry/entry.ts';

/** A source as it is written; what the servers add (Precedence) is left out. */
export interface EntrySource {
  readonly Name: string;
  readonly Peer?: string;
  readonly Type: 'consul';
  readonly Action?: 'allow' | 'deny';
  readonly Description?: string;
  readonly Permissions?: readonly IntentionPermission[];
}

/** A service-intentions configuration entry as it is written (Consul HTTP API, "Config"). */
export interface IntentionEntry {
  readonly Kind: 'service-intentions';
  readonly Name: string;
  readonly Meta: Readonly<Record<string, string>>;
  readonly Sources: readonly EntrySource[];
  readonly JWT?: JwtRequirement;
}

/** A service-intentions entry as the servers show it, which has the other fields of an entry, too. */
export interface ShownEntry {
  readonly Name: string;
  readonly Meta?: Readonly<Record<string, string>>;
  readonly ModifyIndex: number;
  readonly CreateIndex?: number;
  readonly Hash?: number | string;
}

/**
 * What the operator asks of the servers about intentions. `http-intention-client.ts` speaks their public HTTP API; a
 * process that holds both roles gives an adapter instead. Every call has a deadline and rejects with an AppError; a signal
 * that aborts may end it earlier, with an outcome that is not known.
 *
 * Writes compare and set: `cas` is the ModifyIndex that the entry was seen with, 0 for none. They give whether they were
 * done; false also when a first answer was lost and the write was done already.
 */
export interface IntentionClient {
  /** All entries as soon as they are newer than `index`, at the latest after about `waitMs`; with index 0 at once. */
  list(
    after: { readonly index: number; readonly waitMs: number },
    signal: AbortSignal,
  ): Promise<{ readonly index: number; readonly entries: readonly ShownEntry[] }>;
  /** The entry of a destination now; undefined when the servers say that there is none. */
  read(destination: string, signal?: AbortSignal): Promise<ShownEntry | undefined>;
  /** @throws AppError `badRequest` with the servers' text when the entry breaks a rule. */
  put(entry: IntentionEntry, cas: number, signal?: AbortSignal): Promise<boolean>;
  delete(destination: string, cas: number, signal?: AbortSignal): Promise<boolean>;
}
