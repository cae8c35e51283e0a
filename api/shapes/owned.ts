import type { CheckStatus } from './catalog.ts';

/** A check of an owned instance as its owner sees it (whoever declared the check). */
export interface OwnedCheck {
  CheckID: string;
  Name: string;
  Status: CheckStatus;
  Output: string;
  /** The owner and declaring object of the definition half ('' when none). */
  Owner: string;
  Ref: string;
}

/** An instance of one owner, with the joined state of its checks (node checks such as serfHealth included). */
export interface OwnedInstance {
  Namespace: string;
  Node: string;
  ServiceID: string;
  ServiceName: string;
  Address: string;
  Port: number;
  Ref: string;
  Hash: string;
  Checks: OwnedCheck[];
}

/**
 * One line of GET /v1/stream/owned?owner=<kind>/<name> (NDJSON). A stream begins with `snapshot`, then one `upsert` for
 * each instance, then `synced`; deltas follow. `heartbeat` comes at least every 10 s, so that silence means a dead link.
 */
export type OwnedEvent =
  | { Type: 'snapshot'; Index: number }
  | { Type: 'upsert'; Index: number; Instance: OwnedInstance }
  | { Type: 'delete'; Index: number; Namespace: string; Node: string; ServiceID: string; Ref: string }
  | { Type: 'synced'; Index: number }
  | { Type: 'heartbeat'; Index: number };

/** Body of GET and PUT /v1/owner/:kind/:name; PUT claims an epoch (409 when a higher one was claimed or used). */
export interface OwnerState {
  Owner: string;
  Epoch: number;
}
