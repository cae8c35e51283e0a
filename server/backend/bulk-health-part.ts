import { bulkHealthRoute } from '../../api/routes/bulk-health-route.ts';
import { topicOf } from '../catalog/topics.ts';
import type { PartDeps, ServerPart } from '../parts.ts';
import { liveRead } from './catalog-reads.ts';

/** Health of many services in one request. */
export function bulkHealthPart({ reads, state }: PartDeps): ServerPart {
  return {
    routes: [
      bulkHealthRoute(reads, {
        services: (namespace, names) =>
          liveRead(
            state,
            names.map((name) => topicOf.service(namespace, name)),
            () => names.map((name) => state.service(namespace, name)),
          ),
      }),
    ],
  };
}
