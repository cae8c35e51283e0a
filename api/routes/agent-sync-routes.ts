import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { Random } from '../../core/random.ts';
import { blockingQuery } from '../blocking-query.ts';
import { blockingParams } from '../http/request-params.ts';
import type { Route } from '../http/route.ts';
import type { VerdictReport } from '../shapes/agent-sync.ts';
import { decodeVerdictReport } from '../shapes/decode-verdicts.ts';
import { isPortText } from '../shapes/member-ports.ts';
import type { AgentBackend, LiveRead } from './catalog-backend.ts';

/** What the agent of a node asks: /v1/internal/agent/:node/{entries,definitions,health,verdicts} and /v1/internal/members. */
export function agentSyncRoutes(deps: { clock: Clock; random: Random }, backend: AgentBackend): Route[] {
  return [
    { method: 'GET', path: '/v1/internal/members', handle: () => ({ json: backend.members() }) },
    {
      method: 'GET',
      path: '/v1/internal/agent/:node/entries',
      handle: ({ params }) => ({ json: backend.entries(nodeOf(params)) }),
    },
    blockingRoute(deps, 'definitions', (node) => backend.definitions(node)),
    blockingRoute(deps, 'health', (node) => backend.health(node)),
    {
      method: 'PUT',
      path: '/v1/internal/agent/:node/verdicts',
      async handle({ params, query, body }) {
        await backend.report(nodeOf(params), { ...decodeVerdictReport(body), ...serfPortOf(query) });
        return { json: true };
      },
    },
  ];
}

function blockingRoute(
  deps: { clock: Clock; random: Random },
  what: string,
  read: (node: string) => LiveRead<unknown>,
): Route {
  return {
    method: 'GET',
    path: `/v1/internal/agent/:node/${what}`,
    async handle({ params, query, signal }) {
      const live = read(nodeOf(params));
      const { value, index } = await blockingQuery(deps, blockingParams(query), () => live.run(), live.watch, signal);
      return { json: value, meta: { index, knownLeader: true, lastContactMs: 0 } };
    },
  };
}

function serfPortOf(query: URLSearchParams): Pick<VerdictReport, 'SerfPort'> {
  const text = query.get('serf_port');
  if (text === null) return {};
  // Agents of earlier versions tell -1 of a port that is off.
  if (text === '-1') return { SerfPort: 0 };
  if (!isPortText(text)) throw new AppError('badRequest', 'serf_port must be a port');
  return { SerfPort: Number(text) };
}

function nodeOf(params: Readonly<Record<string, string>>): string {
  if (!params.node) throw new AppError('badRequest', 'Missing node name');
  return params.node;
}
