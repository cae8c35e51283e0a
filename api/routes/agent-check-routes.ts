import { AppError } from '../../core/errors.ts';
import { filterOf } from '../filter/filter-cache.ts';
import { CHECK_ROW } from '../filter/rows.ts';
import { namespaceOf, namespaceOfWrite, readParams } from '../http/request-params.ts';
import type { Route, RouteRequest, RouteResponse } from '../http/route.ts';
import { decodeAgentCheck, decodeCheckUpdate } from '../shapes/agent-check.ts';
import type { CheckStatus } from '../shapes/catalog.ts';
import { checkShape, DONE, unknownCheck } from './agent-answers.ts';
import type { AgentRouteBackend } from './agent-local-backend.ts';

/** The agent's own checks (Consul HTTP API, "Check - Agent"). */
export function agentCheckRoutes(deps: { readonly backend: AgentRouteBackend }): Route[] {
  const { services, checks, info } = deps.backend;
  return [
    {
      method: 'GET',
      path: '/v1/agent/checks',
      handle(request) {
        const { namespace, filter } = readParams(request);
        const wanted = filterOf(filter, CHECK_ROW);
        const shapes = checks.checks(namespace).map((check) => {
          const service = check.serviceId === '' ? undefined : services.service(namespace, check.serviceId);
          return [check.checkId, checkShape(check, info.node, service)] as const;
        });
        return { json: Object.fromEntries(shapes.filter(([, shape]) => wanted(shape))) };
      },
    },
    {
      method: 'PUT',
      path: '/v1/agent/check/register',
      async handle(request) {
        const { check, namespace: given } = decodeAgentCheck(request.body, checks.policy);
        const namespace = namespaceOfWrite(request, given);
        const service = check.serviceId === '' ? undefined : services.service(namespace, check.serviceId);
        if (check.serviceId !== '' && !service) {
          throw new AppError('notFound', `ServiceID ${JSON.stringify(check.serviceId)} does not exist`);
        }
        const bound = service ? { ...check, serviceId: service.ID } : check;
        await checks.registerCheck(namespace, bound, { keepState: !check.statusGiven });
        return DONE;
      },
    },
    {
      method: 'PUT',
      path: '/v1/agent/check/deregister/:id',
      async handle(request) {
        const id = request.params.id ?? '';
        if (!(await checks.deregisterCheck(namespaceOf(request), id))) throw unknownCheck(id);
        return DONE;
      },
    },
    updateRoute(deps.backend, 'pass', 'passing'),
    updateRoute(deps.backend, 'warn', 'warning'),
    updateRoute(deps.backend, 'fail', 'critical'),
    {
      method: 'PUT',
      path: '/v1/agent/check/update/:id',
      handle: (request) => update(deps.backend, request, decodeCheckUpdate(request.body)),
    },
  ];
}

function updateRoute(backend: AgentRouteBackend, verb: string, status: CheckStatus): Route {
  return {
    method: 'PUT',
    path: `/v1/agent/check/${verb}/:id`,
    handle: (request) => update(backend, request, { status, output: request.query.get('note') ?? '' }),
  };
}

async function update(
  backend: AgentRouteBackend,
  request: RouteRequest,
  verdict: { status: CheckStatus; output: string },
): Promise<RouteResponse> {
  const id = request.params.id ?? '';
  const namespace = namespaceOf(request);
  if (!backend.checks.check(namespace, id)) throw unknownCheck(id);
  await backend.checks.updateTtl(namespace, id, verdict);
  return DONE;
}
