import type {
  AgentCheckState,
  AgentChecksBackend,
  AgentServicesBackend,
} from '../../api/routes/agent-local-backend.ts';
import type { AgentCheck, CheckPolicy } from '../../api/shapes/agent-check.ts';
import type { AgentService, AgentServiceInstance } from '../../api/shapes/agent-service.ts';
import type { CheckStatus } from '../../api/shapes/catalog.ts';

import type { CheckSupervisor } from '../checks/check-supervisor.ts';
import { type LocalCheck, localKey } from '../local-state/local-records.ts';
import type { LocalState } from '../local-state/local-state.ts';
import { type SidecarPorts, withSidecar } from './sidecars.ts';
import { toRegister } from './to-register.ts';

export interface LocalBackendDeps {
  readonly local: LocalState;
  readonly supervisor: Pick<CheckSupervisor, 'update'>;
  /** Waits until the catalog has what was declared, bounded. */
  readonly settled: (limitMs: number) => Promise<void>;
  readonly config: () => LocalBackendConfig;
}

/** What of the configuration in force counts here. */
export interface LocalBackendConfig {
  readonly enableScriptChecks: boolean;
  readonly sidecarPorts: SidecarPorts;
}

/** How long an answer waits for the catalog: with the servers away the agent still keeps and later writes it. */
const SYNC_WAIT_MS = 5000;

/** The agent's endpoints for services and checks over its local state. */
export class LocalBackend implements AgentServicesBackend, AgentChecksBackend {
  readonly #local: LocalState;
  readonly #supervisor: Pick<CheckSupervisor, 'update'>;
  readonly #settled: (limitMs: number) => Promise<void>;
  readonly #config: () => LocalBackendConfig;

  constructor(deps: LocalBackendDeps) {
    this.#local = deps.local;
    this.#supervisor = deps.supervisor;
    this.#settled = deps.settled;
    this.#config = deps.config;
  }

  get policy(): CheckPolicy {
    return { scripts: this.#config().enableScriptChecks };
  }

  services(namespace: string): readonly AgentServiceInstance[] {
    return this.#local.services(namespace).map(({ instance }) => instance);
  }

  service(namespace: string, id: string): AgentServiceInstance | undefined {
    return this.#local.service(namespace, id)?.instance;
  }

  async registerService(
    namespace: string,
    service: AgentService,
    options: { replaceExistingChecks: boolean },
  ): Promise<void> {
    const { policy } = this;
    const { sidecarPorts: ports } = this.#config();
    const context = { namespace, origin: 'api', local: this.#local, ports, policy } as const;
    await this.#local.registerServices(() => withSidecar(service, context), options);
    await this.#settled(SYNC_WAIT_MS);
  }

  async deregisterService(namespace: string, id: string): Promise<boolean> {
    const found = await this.#local.deregisterService(namespace, id);
    if (found) await this.#settled(SYNC_WAIT_MS);
    return found;
  }

  onServiceChange(wake: () => void): () => void {
    return this.#local.onChange((change) => {
      if (change.kind === 'service') wake();
    });
  }

  /** What this agent owns; checks assigned to it by others are the catalog's to show. */
  checks(namespace: string): readonly AgentCheckState[] {
    const owned: LocalCheck[] = [];
    for (const check of this.#local.checks()) {
      if (check.namespace === namespace && check.origin !== 'assigned') owned.push(check);
    }
    return owned;
  }

  check(namespace: string, id: string): AgentCheckState | undefined {
    return this.#local.check(localKey(namespace, id));
  }

  async registerCheck(namespace: string, check: AgentCheck, options: { keepState: boolean }): Promise<void> {
    await this.#local.registerCheck(toRegister(namespace, check, 'api', options.keepState));
    await this.#settled(SYNC_WAIT_MS);
  }

  async deregisterCheck(namespace: string, id: string): Promise<boolean> {
    const found = await this.#local.deregisterCheck(namespace, id);
    if (found) await this.#settled(SYNC_WAIT_MS);
    return found;
  }

  async updateTtl(namespace: string, id: string, update: { status: CheckStatus; output: string }): Promise<void> {
    const key = localKey(namespace, id);
    this.#supervisor.update(key, this.#local.check(key)?.checkId ?? id, update.status, update.output);
    // The supervisor has put the state in place; what was acknowledged has to survive a crash.
    await this.#local.saved();
  }
}
