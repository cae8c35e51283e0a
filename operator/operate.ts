import { hostname } from 'node:os';
import type { KubeConfig } from '@kubernetes/client-node';
import { SystemClock } from '../core/clock.ts';
import { AppError, errorText } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { SystemRandom } from '../core/random.ts';
import { HttpCatalogClient } from './catalog-client/http-catalog-client.ts';
import { ServerHttp } from './catalog-client/server-http.ts';
import { composeOperator } from './composition.ts';
import { HttpIntentionClient } from './intention-client/http-intention-client.ts';
import { HttpKubeApi } from './kube-api/http-kube-api.ts';
import { KubeConfigAuth } from './kube-api/kube-config-auth.ts';
import type { OperatorOptions } from './options.ts';
import { type Handover, LictorOperator } from './shell/operator-shell.ts';

/** Secrets and certificates that the flags name, read. */
export interface OperatorSecrets {
  readonly token?: string;
  readonly ca?: string;
}

/** Runs an operator with the real world's clock and network until the signal aborts. */
export async function operate(
  options: OperatorOptions,
  secrets: OperatorSecrets,
  world: { readonly log: Logger; readonly signal: AbortSignal },
): Promise<void> {
  const handover = (config: KubeConfig, signal: AbortSignal) =>
    run(options, secrets, config, { log: world.log, signal });
  const shell = createShell({ log: world.log, handover }, options);
  const onAbort = () => shell.stop();
  world.signal.addEventListener('abort', onAbort, { once: true });
  if (world.signal.aborted) shell.stop();
  await shell.start().finally(() => world.signal.removeEventListener('abort', onAbort));
}

function createShell(deps: { log: Logger; handover: Handover }, options: OperatorOptions): LictorOperator {
  try {
    return new LictorOperator(deps, { context: options.context });
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    const text = `the kubeconfig cannot be used (${errorText(cause)}); give another with --kubeconfig or KUBECONFIG`;
    throw new AppError('config', text, { cause });
  }
}

/** The address that the client library makes up when it has found neither a kubeconfig nor a pod's ServiceAccount. */
const MADE_UP_SERVER = 'http://localhost:8080';

const clock = new SystemClock();
const random = new SystemRandom();

async function run(
  options: OperatorOptions,
  secrets: OperatorSecrets,
  config: KubeConfig,
  { log, signal }: { readonly log: Logger; readonly signal: AbortSignal },
): Promise<void> {
  if (config.getCurrentCluster()?.server === MADE_UP_SERVER) {
    throw new AppError(
      'config',
      'no kubeconfig was found and this is no pod; give one with --kubeconfig or KUBECONFIG',
    );
  }
  const api = new HttpKubeApi({ auth: new KubeConfigAuth({ config, clock }), clock, random });
  const http = new ServerHttp({ clock, random }, { addresses: options.httpAddresses, ...secrets });
  const catalog = new HttpCatalogClient({ clock, http });
  const intentions = new HttpIntentionClient({ http });
  try {
    const owner = options.owner ?? (await ownerOfCluster(api, log, signal));
    if (owner === undefined) return;
    const identity = `${hostname()}_${random.uuid()}`;
    const context = config.getContextObject(config.getCurrentContext());
    const leaseNamespace = options.leaseNamespace ?? context?.namespace ?? 'default';
    const operator = composeOperator(
      { ...options, owner, identity, leaseNamespace },
      { api, catalog, intentions, clock, random, log, metrics: new Metrics() },
    );
    log.info('the operator starts', { owner, identity, servers: options.httpAddresses });
    const ready = () => log.info('the operator runs', { probes: operator.probes?.port });
    await operator.runnable.run({ signal, ready });
  } finally {
    await Promise.all([api.close(), http.close()]);
  }
}

/** The owner made of the cluster's id, however long the API server takes; undefined when told to stop before. */
async function ownerOfCluster(api: HttpKubeApi, log: Logger, signal: AbortSignal): Promise<string | undefined> {
  for (let tries = 0; !signal.aborted; tries++) {
    try {
      return `kubernetes/${await api.clusterId(signal)}`;
    } catch (error) {
      if (error instanceof AppError && error.code === 'permissionDenied') {
        throw new AppError('config', `${error.message}; allow it, or name the cluster with --owner`);
      }
      if (tries % 10 === 0) log.warn('the API server cannot be reached yet', { text: errorText(error) });
      await clock.sleep(1_000, signal);
    }
  }
  return undefined;
}
