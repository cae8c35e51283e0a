import { namespaceOf } from '../http/request-params.ts';
import type { Route, RouteRequest, RouteResponse } from '../http/route.ts';
import type { AgentServiceInstance } from '../shapes/agent-service.ts';
import { type AggregatedStatus, aggregated, healthCheckShape, serviceShape, statusOf } from './agent-answers.ts';
import type { AgentRouteBackend } from './agent-local-backend.ts';

/** Aggregated health of the agent's own services (Consul HTTP API, "Retrieve local service health"). */
export function agentHealthRoutes(deps: { readonly backend: AgentRouteBackend }): Route[] {
  const { services } = deps.backend;
  return [
    {
      method: 'GET',
      path: '/v1/agent/health/service/id/:id',
      handle(request) {
        const id = request.params.id ?? '';
        if (id === '') return { status: 500, text: 'Missing serviceID' };
        const namespace = namespaceOf(request);
        const instance = services.service(namespace, id);
        if (!instance) {
          if (wantsText(request)) return { status: 404, text: `ServiceId ${id} not found` };
          return { status: 404, json: { AggregatedStatus: 'critical', Service: null, Checks: null } };
        }
        const health = healthOf(deps.backend, namespace, instance);
        return answer(request, health.state, health.shape);
      },
    },
    {
      method: 'GET',
      path: '/v1/agent/health/service/name/:name',
      handle(request) {
        const name = request.params.name ?? '';
        if (name === '') return { status: 500, text: 'Missing service Name' };
        const namespace = namespaceOf(request);
        const found = services
          .services(namespace)
          .filter((instance) => instance.Service.toLowerCase() === name.toLowerCase())
          .map((instance) => healthOf(deps.backend, namespace, instance));
        if (found.length === 0) {
          if (wantsText(request)) return { status: 404, text: `ServiceName ${name} Not Found` };
          return { status: 404, json: [] };
        }
        const worst = found.reduce((a, b) => (rank(a.state) >= rank(b.state) ? a : b)).state;
        return answer(
          request,
          worst,
          found.map((one) => one.shape),
        );
      },
    },
  ];
}

function healthOf(
  backend: AgentRouteBackend,
  namespace: string,
  instance: AgentServiceInstance,
): { state: AggregatedStatus; shape: object } {
  const { checks, info } = backend;
  const id = instance.ID.toLowerCase();
  const relevant = [
    ...checks.checks(namespace).filter((check) => check.serviceId.toLowerCase() === id),
    // Checks of the node itself, which count for every namespace.
    ...checks.checks('default').filter((check) => check.serviceId === ''),
  ];
  const state = aggregated(relevant);
  return {
    state,
    shape: {
      AggregatedStatus: state,
      Service: serviceShape(instance, { namespace, datacenter: info.datacenter }),
      Checks: relevant.map((check) =>
        healthCheckShape(check, info.node, check.serviceId === '' ? undefined : instance),
      ),
    },
  };
}

function answer(request: RouteRequest, state: AggregatedStatus, shape: object): RouteResponse {
  const form = { status: statusOf(state), headers: { 'X-Consul-Reason': state } };
  return wantsText(request) ? { ...form, text: state } : { ...form, json: shape };
}

function wantsText(request: RouteRequest): boolean {
  return request.query.get('format') === 'text' || String(request.headers.accept ?? '').startsWith('text/plain');
}

function rank(state: AggregatedStatus): number {
  return ['passing', 'warning', 'critical', 'maintenance'].indexOf(state);
}
