import { bulkHealthRoute } from '../../api/routes/bulk-health-route.ts';
import { topicOf } from '../catalog/topics.ts';
import type { PartDeps, ServerPart } from '../parts.ts';
import { liveRead } from './catalog-reads.ts';

/** Health of many services in one request. */
export function bulkHealthPart({ reads, state }: PartDeps): ServerPart {
  return {
    routes: [
      bulkHealthRoute(reads, {
        services(namespace, names) {
          const keys = names.map((name) => name.toLowerCase());
          const topics = new Set(keys.map((key) => topicOf.service(namespace, key)));
          return liveRead(state, [...topics], () => keys.map((key) => state.service(namespace, key)));
        },
      }),
    ],
  };
}
