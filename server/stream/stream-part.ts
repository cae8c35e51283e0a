import { streamRoutes } from '../../api/routes/stream-routes.ts';
import type { PartDeps, ServerPart } from '../parts.ts';
import { StreamHub, type StreamHubOptions } from './stream-hub.ts';

/** Streams of instances. */
export function streamPart({ reads, state, clock }: PartDeps, limits: StreamHubOptions): ServerPart {
  return { routes: streamRoutes(reads, new StreamHub({ state, clock }, limits)) };
}
