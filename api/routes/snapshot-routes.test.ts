import { Readable } from 'node:stream';
import type { RouteRequest } from '../http/route.ts';
import { type ReadRouteDeps, soleAuthority } from './read-route.ts';
import { type SnapshotBackend, snapshotRoutes } from './snapshot-routes.ts';

/** Asks for a snapshot; what was done, in order. */
async function saved(query: string): Promise<{ steps: string[]; consistency: string | undefined }> {
  const steps: string[] = [];
  const authority = {
    ...soleAuthority,
    async barrier() {
      steps.push('barrier');
      await Promise.resolve();
      steps.push('caught up');
    },
  };
  const backend: SnapshotBackend = {
    async save() {
      steps.push('saved');
      return { index: 7, archive: Readable.from([]) };
    },
    restore: () => Promise.resolve(),
  };
  const deps = { datacenter: 'dc1', authority } as unknown as ReadRouteDeps;
  const [save] = snapshotRoutes(deps, backend);
  const { signal } = new AbortController();
  const request = { method: 'GET', query: new URLSearchParams(query), headers: {}, signal } as unknown as RouteRequest;
  const { meta } = await save!.handle(request);
  return { steps, consistency: meta?.effectiveConsistency };
}

describe('a snapshot', () => {
  it('that is to be consistent is taken when this server shows all that was acknowledged before', async () => {
    expect(await saved('consistent')).toEqual({ steps: ['barrier', 'caught up', 'saved'], consistency: 'consistent' });
  });

  it.each([
    ['', 'leader'],
    ['stale', 'stale'],
  ])('waits for nothing with "%s"', async (query, consistency) => {
    expect(await saved(query)).toEqual({ steps: ['saved'], consistency });
  });
});
