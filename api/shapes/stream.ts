import type { HealthEntry } from './catalog.ts';

/**
 * One line of GET /v1/stream/health and /v1/stream/catalog (NDJSON). `Index` of each line is what to give as `index=` to
 * go on after this line; it never falls within a stream, but for `snapshot`, which begins again at 0.
 *
 * A stream begins with `snapshot` (forget what you have) or `resume` (keep it); then come the instances, then `synced`;
 * changes follow. An `upsert` replaces the instance of the same namespace, node and id. A `delete` may name an instance that
 * was never sent. `heartbeat` comes after at most 10 s of silence, so that a longer one means a dead link. A later
 * `snapshot` means that changes were lost: the catalog was restored, or the reader was too slow.
 */
export type StreamEvent<Entry = HealthEntry> =
  | { Type: 'snapshot'; Index: 0 }
  | { Type: 'resume'; Index: number }
  | { Type: 'upsert'; Index: number; Entry: Entry }
  | { Type: 'delete'; Index: number; Namespace: string; Node: string; ServiceID: string }
  | { Type: 'synced'; Index: number }
  | { Type: 'heartbeat'; Index: number };
