import type { Loss } from '../catalog/plan.ts';
import type { CatalogState } from '../catalog/state.ts';
import type { Draft } from './draft.ts';

/** What an operation works on. */
export interface TxnContext {
  readonly state: CatalogState;
  readonly draft: Draft;
  readonly namespace: string;
  readonly datacenter: string;
  /** The wall clock. */
  readonly nowMs: number;
  /** Whatever is bound to this ends with the transaction. */
  loses(loss: Loss): void;
  /** Adds a result; it is made when the index of the transaction is known. */
  result(make: (index: number) => Record<string, unknown>): void;
}

/** Indexes of an entry: what the transaction itself has written has none before it is committed. */
export interface DraftIndexes {
  readonly create: number | undefined;
  readonly modify: number | undefined;
}

export function indexJson(
  { create, modify }: DraftIndexes,
  index: number,
): { CreateIndex: number; ModifyIndex: number } {
  return { CreateIndex: create ?? index, ModifyIndex: modify ?? index };
}

/** A condition that does not hold, in Consul's words. Nothing of the transaction is done then. */
export class TxnRefusal extends Error {}
