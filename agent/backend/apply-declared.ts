import type { AgentService } from '../../api/shapes/agent-service.ts';
import { DEFAULT_NAMESPACE } from '../../api/shapes/catalog.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import type { LocalState } from '../local-state/local-state.ts';
import { toRegister } from './local-backend.ts';
import { sidecarOf } from './sidecars.ts';

/**
 * Brings the local state to what the configuration declares: adds and replaces, and removes what an earlier
 * configuration declared and this one lacks. States of checks that stay are kept; what clients registered stays.
 */
export async function applyDeclared(local: LocalState, config: AgentConfig): Promise<void> {
  const services = new Set<string>();
  const checks = new Set<string>();
  const key = (namespace: string, id: string) => `${namespace}/${id.toLowerCase()}`;
  for (const [service, parent] of withSidecars(local, config)) {
    const { instance, checks: own, namespace = DEFAULT_NAMESPACE } = service;
    const sidecar = parent === undefined ? {} : { sidecarOf: parent };
    const toAdd = own.map((check) => toRegister(namespace, check, 'config', true));
    services.add(key(namespace, instance.ID));
    for (const { declaration } of toAdd) checks.add(key(namespace, declaration.checkId));
    await local.registerService({ namespace, instance, origin: 'config', ...sidecar }, toAdd, {
      replaceExistingChecks: false,
    });
  }
  for (const { check, namespace = DEFAULT_NAMESPACE } of config.checks) {
    const toAdd = toRegister(namespace, check, 'config', true);
    checks.add(key(namespace, toAdd.declaration.checkId));
    await local.registerCheck(toAdd);
  }
  for (const { namespace, instance, origin } of local.services()) {
    if (origin === 'config' && !services.has(key(namespace, instance.ID))) {
      await local.deregisterService(namespace, instance.ID);
    }
  }
  for (const { namespace, checkId, origin } of [...local.checks()]) {
    if (origin === 'config' && !checks.has(key(namespace, checkId))) await local.deregisterCheck(namespace, checkId);
  }
}

/** Each service, followed by its sidecar with the service's id. Taken one by one: each sidecar's port depends on what is there. */
function* withSidecars(local: LocalState, config: AgentConfig): Generator<[AgentService, string | undefined]> {
  for (const service of config.services) {
    yield [service, undefined];
    const { namespace = DEFAULT_NAMESPACE, instance } = service;
    const policy = { scripts: config.enableLocalScriptChecks };
    const sidecar = sidecarOf(service, namespace, local, config.sidecarPorts, policy);
    if (sidecar) yield [sidecar, instance.ID];
  }
}
