import { explainRoutes } from '../../api/routes/explain-routes.ts';
import type { PartDeps, ServerPart } from '../parts.ts';
import { ServiceExplainer } from './service-explainer.ts';

/** Why instances are answered or not. */
export function explainPart({ reads, state, whyNoInstance }: PartDeps): ServerPart {
  return { routes: explainRoutes(reads, new ServiceExplainer({ state, whyNoInstance })) };
}
