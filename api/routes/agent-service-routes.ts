import { createHash } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { Random } from '../../core/random.ts';
import { filterOf } from '../filter/filter-cache.ts';
import { INSTANCE_ROW } from '../filter/rows.ts';
import { blockingParams, flagParam, namespaceOf, namespaceOfWrite, readParams } from '../http/request-params.ts';
import type { Route, RouteRequest, RouteResponse } from '../http/route.ts';
import type { AgentCheck } from '../shapes/agent-check.ts';
import { decodeAgentService } from '../shapes/agent-service.ts';
import { DONE, NODE_MAINTENANCE, SERVICE_MAINTENANCE, serviceShape, unknownService } from './agent-answers.ts';
import type { AgentRouteBackend } from './agent-local-backend.ts';

export interface AgentServiceRouteDeps {
  readonly backend: AgentRouteBackend;
  readonly clock: Clock;
  readonly random: Pick<Random, 'next'>;
}

/** Consul's wait of a hash query without `wait`, and its limit. */
const DEFAULT_WAIT_MS = 300_000;
const MAX_WAIT_MS = 24 * 3_600_000;

/** The agent's own services and its maintenance mode (Consul HTTP API, "Service - Agent" and "Agent"). */
export function agentServiceRoutes(deps: AgentServiceRouteDeps): Route[] {
  const { services, checks, info } = deps.backend;
  return [
    {
      method: 'GET',
      path: '/v1/agent/services',
      handle(request) {
        const { namespace, filter } = readParams(request);
        const wanted = filterOf(filter, INSTANCE_ROW);
        const at = { namespace, datacenter: info.datacenter };
        return {
          json: Object.fromEntries(
            services
              .services(namespace)
              .map((one) => [one.ID, serviceShape(one, at)] as const)
              .filter(([, shape]) => wanted(shape)),
          ),
        };
      },
    },
    { method: 'GET', path: '/v1/agent/service/:id', handle: (request) => readService(deps, request) },
    {
      method: 'PUT',
      path: '/v1/agent/service/register',
      async handle(request) {
        const service = decodeAgentService(request.body, checks.policy);
        const namespace = namespaceOfWrite(request, service.namespace);
        const replaceExistingChecks = flagParam(request.query, 'replace-existing-checks');
        await services.registerService(namespace, service, { replaceExistingChecks });
        return DONE;
      },
    },
    {
      method: 'PUT',
      path: '/v1/agent/service/deregister/:id',
      async handle(request) {
        const id = request.params.id ?? '';
        if (!(await services.deregisterService(namespaceOf(request), id))) throw unknownService(id);
        return DONE;
      },
    },
    {
      method: 'PUT',
      path: '/v1/agent/service/maintenance/:id',
      async handle(request) {
        const id = request.params.id ?? '';
        if (id === '') throw new AppError('badRequest', 'Missing service ID');
        const enable = enableParam(request.query);
        const namespace = namespaceOf(request);
        const service = services.service(namespace, id);
        if (!service) throw unknownService(id);
        const checkId = `${SERVICE_MAINTENANCE}${service.ID}`;
        await setMaintenance(checks, namespace, enable, {
          checkId,
          name: 'Service Maintenance Mode',
          serviceId: service.ID,
          notes: reasonOf(request.query, 'service'),
        });
        return DONE;
      },
    },
    {
      method: 'PUT',
      path: '/v1/agent/maintenance',
      async handle(request) {
        const enable = enableParam(request.query);
        await setMaintenance(checks, 'default', enable, {
          checkId: NODE_MAINTENANCE,
          name: 'Node Maintenance Mode',
          serviceId: '',
          notes: reasonOf(request.query, 'node'),
        });
        return DONE;
      },
    },
  ];
}

/** Blocks while the service's content hash equals `hash`, at most for the wait. */
async function readService(deps: AgentServiceRouteDeps, request: RouteRequest): Promise<RouteResponse> {
  const { services, info } = deps.backend;
  const id = request.params.id ?? '';
  const namespace = namespaceOf(request);
  const hash = request.query.get('hash') ?? '';
  const { waitMs } = blockingParams(request.query);
  const read = () => {
    const instance = services.service(namespace, id);
    if (!instance) throw new AppError('notFound', `unknown service ID: ${id}`);
    const shape = serviceShape(instance, { namespace, datacenter: info.datacenter });
    const contentHash = createHash('sha256').update(JSON.stringify(shape)).digest('hex').slice(0, 16);
    return { shape: { ...shape, ContentHash: contentHash }, contentHash };
  };
  let found = read();
  if (hash !== '' && found.contentHash === hash) {
    const wait = Math.min(waitMs || DEFAULT_WAIT_MS, MAX_WAIT_MS);
    const end = new AbortController();
    const onGone = () => end.abort();
    request.signal.addEventListener('abort', onGone, { once: true });
    const unwatch = services.onServiceChange(() => {
      if (services.service(namespace, id) === undefined || read().contentHash !== hash) end.abort();
    });
    try {
      // Read again after subscribing: a change in between must not be slept over.
      if (read().contentHash === hash) await deps.clock.sleep(wait * (1 + deps.random.next() / 16), end.signal);
    } finally {
      unwatch();
      request.signal.removeEventListener('abort', onGone);
    }
    if (request.signal.aborted) throw new AppError('shuttingDown', 'the agent is stopping');
    found = read();
  }
  return { headers: { 'X-Consul-ContentHash': found.contentHash }, json: found.shape };
}

function enableParam(query: URLSearchParams): boolean {
  const value = query.get('enable');
  if (value === null || value === '') throw new AppError('badRequest', 'Missing value for enable');
  if (/^(1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(value)) return false;
  throw new AppError('badRequest', `Invalid value for enable: ${JSON.stringify(value)}`);
}

function reasonOf(query: URLSearchParams, what: 'service' | 'node'): string {
  const standard = `Maintenance mode is enabled for this ${what}, but no reason was provided. This is a default message.`;
  return query.get('reason') || standard;
}

async function setMaintenance(
  checks: AgentRouteBackend['checks'],
  namespace: string,
  enable: boolean,
  mark: Pick<AgentCheck, 'checkId' | 'name' | 'serviceId' | 'notes'>,
): Promise<void> {
  const present = checks.check(namespace, mark.checkId) !== undefined;
  if (enable === present) return;
  if (!enable) {
    await checks.deregisterCheck(namespace, mark.checkId);
    return;
  }
  const check: AgentCheck = {
    ...mark,
    type: 'maintenance',
    interval: '',
    timeout: '',
    definition: {},
    status: 'critical',
    statusGiven: true,
  };
  await checks.registerCheck(namespace, check, { keepState: false });
}
