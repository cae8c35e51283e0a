import type { Readable } from 'node:stream';
import { AppError, errorText } from '../../core/errors.ts';
import { consistencyOf, elsewhere } from '../http/request-params.ts';
import type { Route } from '../http/route.ts';
import { failed } from './kv-routes.ts';
import type { ReadRouteDeps } from './read-route.ts';

export interface SnapshotBackend {
  /** All data at one index as a gzip tar, made while it is read. */
  save(signal: AbortSignal): Promise<{ readonly index: number; readonly archive: Readable }>;
  /**
   * Replaces all data by those of an archive, which is verified whole before anything is written; then all or nothing.
   * @throws AppError `storeCorrupt` for a bad archive, `conflict` while another restore is under way or when one came first,
   * `noLeader` when another server was elected before the end.
   */
  restore(archive: Readable, signal: AbortSignal): Promise<void>;
}

/** GET and PUT /v1/snapshot (Consul HTTP API, "Snapshots"). */
export function snapshotRoutes(deps: ReadRouteDeps, backend: SnapshotBackend): Route[] {
  const path = '/v1/snapshot';
  return [
    {
      method: 'GET',
      path,
      handle: async (request) => {
        const refusal = elsewhere(deps, request);
        if (refusal) return refusal;
        const effectiveConsistency = consistencyOf(request.query);
        if (effectiveConsistency === 'consistent') await deps.authority.barrier();
        const { index, archive } = await backend.save(request.signal);
        return {
          stream: archive,
          headers: { 'content-type': 'application/x-gzip' },
          meta: {
            index,
            knownLeader: deps.authority.knownLeader(),
            lastContactMs: deps.authority.lastContactMs(),
            effectiveConsistency,
          },
        };
      },
    },
    {
      method: 'PUT',
      path,
      streamsBody: true,
      handle: async (request) => {
        const refusal = elsewhere(deps, request);
        if (refusal) return refusal;
        if (!request.bodyStream) return { status: 400, text: 'Missing the archive to restore' };
        try {
          await backend.restore(request.bodyStream, request.signal);
        } catch (error) {
          // Consul's status for an archive that it cannot read.
          if (error instanceof AppError && error.code === 'storeCorrupt') return failed(errorText(error));
          throw error;
        }
        return { bytes: Buffer.alloc(0), headers: { 'content-type': 'application/octet-stream' } };
      },
    },
  ];
}
