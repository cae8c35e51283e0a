import { type CaBackend, caRoutes } from '../../api/routes/ca-routes.ts';
import { DEFAULT_NAMESPACE } from '../../api/shapes/catalog.ts';
import { liveRead } from '../backend/catalog-reads.ts';
import type { PartDeps, ServerPart } from '../parts.ts';
import { authorize, type DefaultIntentionPolicy, type Intentions } from './authorize.ts';
import { CaDemand } from './ca-demand.ts';
import { CaKeeper } from './ca-keeper.ts';
import { CaSigner } from './ca-signer.ts';
import { CA_ROOTS_TOPIC, CaTable } from './ca-table.ts';
import { CaWriter, caNotReady } from './ca-writer.ts';

export interface CaPartOptions {
  readonly enabled: boolean;
  /** The authority is made when somebody first asks for it, not when the server starts. */
  readonly onDemand: boolean;
  /** The agent's ca_config. */
  readonly initialConfig: Readonly<Record<string, unknown>>;
  readonly defaultIntentionPolicy: DefaultIntentionPolicy;
}

/** The certificate authority, and what an agent of this process needs of it. */
export interface CaPart extends ServerPart {
  readonly ca: CaBackend;
}

export function caPart(deps: PartDeps, intentions: Intentions, options: CaPartOptions): CaPart {
  const { state, datacenter } = deps;
  const table = new CaTable();
  const writer = new CaWriter({ ...deps, table }, { initial: options.initialConfig });
  const signer = new CaSigner({ ...deps, table }, { datacenter });
  const demand = new CaDemand({ ...deps, table }, options);
  const backend: CaBackend = {
    ready: () => demand.ready(),
    roots: () =>
      liveRead(state, [CA_ROOTS_TOPIC], () => {
        // Who is shown fewer roots than there are trusts fewer.
        table.assertReadable('state', 'root');
        if (!table.state) throw caNotReady();
        return table.rootsShape();
      }),
    configuration() {
      state.assertLoaded();
      table.assertReadable('config');
      const found = table.configShape();
      if (!found) throw caNotReady();
      return found;
    },
    configure: (request) => writer.configure(request),
    sign: (csr) => signer.sign(csr),
    authorize: (request) =>
      authorize(request, intentions, { namespace: DEFAULT_NAMESPACE, defaultPolicy: options.defaultIntentionPolicy }),
  };
  deps.metrics.observedGauge(
    {
      name: 'lictor_ca_active_root_expiry_seconds',
      help: 'Time until the active root certificate expires; NaN while there is none',
    },
    () => (table.active ? Math.max(0, (table.active.notAfterMs - deps.clock.now()) / 1000) : Number.NaN),
  );
  return {
    ca: backend,
    tables: [table],
    routes: caRoutes(deps.reads, backend, options),
    runnables: options.enabled ? [new CaKeeper({ ...deps, table, writer, wanted: demand.wanted })] : [],
  };
}
