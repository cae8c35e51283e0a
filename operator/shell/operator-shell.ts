import { createRequire } from 'node:module';
import type library from '@dot-i/k8s-operator';
import type { KubeConfig } from '@kubernetes/client-node';
import { AppError } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';

// CommonJS that requires an ES module: `import` of both in one graph would be a cycle.
const { default: Operator } = createRequire(import.meta.url)('@dot-i/k8s-operator') as typeof library;

/** What the shell hands over to: the process's run group, given how to reach the API server. */
export type Handover = (config: KubeConfig, signal: AbortSignal) => Promise<void>;

/**
 * The operator library as a shell: it finds the cluster's configuration and has `start` and `stop`. Watching, statuses
 * and finalizers are ours (informers, StatusWriter, none), so its own ways of doing them are closed.
 */
export class LictorOperator extends Operator {
  readonly #handover: Handover;
  readonly #stopped = new AbortController();

  /** @throws AppError `config` when the kubeconfig cannot be read or lacks the context. */
  constructor(deps: { log: Logger; handover: Handover }, options: { context?: string } = {}) {
    super(deps.log);
    this.#handover = deps.handover;
    const { context } = options;
    if (context === undefined) return;
    if (!this.kubeConfig.getContextObject(context)) {
      const names = this.kubeConfig.getContexts().map(({ name }) => name);
      throw new AppError('config', `--context="${context}": the kubeconfig has ${names.join(', ') || 'no contexts'}`);
    }
    this.kubeConfig.setCurrentContext(context);
  }

  protected override async init(): Promise<void> {
    await this.#handover(this.kubeConfig, this.#stopped.signal);
  }

  /** `start` then resolves once everything has ended. */
  override stop(): void {
    this.#stopped.abort();
  }

  protected override watchResource(): Promise<void> {
    return closed('watches', 'Informer');
  }
  protected override setResourceStatus(): Promise<never> {
    return closed('statuses', 'StatusWriter');
  }
  protected override patchResourceStatus(): Promise<never> {
    return closed('statuses', 'StatusWriter');
  }
  protected override handleResourceFinalizer(): Promise<never> {
    return closed('finalizers', 'the sweep by ownership');
  }
  protected override setResourceFinalizers(): Promise<never> {
    return closed('finalizers', 'the sweep by ownership');
  }
}

function closed(what: string, instead: string): Promise<never> {
  return Promise.reject(new AppError('internal', `the shell does no ${what}; ${instead} does`));
}
