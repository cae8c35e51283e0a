import { DEFAULT_NAMESPACE } from '../../api/shapes/catalog.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import type { LocalState } from '../local-state/local-state.ts';
import { withSidecar } from './sidecars.ts';
import { toRegister } from './to-register.ts';

/**
 * Brings the local state to what the configuration declares: adds and replaces, and removes what an earlier
 * configuration declared and this one lacks. States of checks that stay are kept; what clients registered stays.
 */
export async function applyDeclared(local: LocalState, config: AgentConfig): Promise<void> {
  const services = new Set<string>();
  const checks = new Set<string>();
  const key = (namespace: string, id: string) => `${namespace}/${id.toLowerCase()}`;
  const policy = { scripts: config.enableLocalScriptChecks };
  for (const service of config.services) {
    const { namespace = DEFAULT_NAMESPACE } = service;
    const context = { namespace, origin: 'config', local, ports: config.sidecarPorts, policy } as const;
    const choose = () => {
      const chosen = withSidecar(service, context);
      for (const one of chosen) {
        services.add(key(namespace, one.service.instance.ID));
        for (const { declaration } of one.checks) checks.add(key(namespace, declaration.checkId));
      }
      return chosen;
    };
    await local.registerServices(choose, { replaceExistingChecks: false });
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
