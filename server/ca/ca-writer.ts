import type { CaConfigurationRequest } from '../../api/shapes/connect.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { Random } from '../../core/random.ts';
import { readPrivateKey } from '../../core/x509/keys.ts';
import { belongsTo, readCertificate } from '../../core/x509/reading.ts';
import { PlanBuilder } from '../catalog/plan.ts';
import type { CatalogState } from '../catalog/state.ts';
import type { StateWriter } from '../catalog/state-writer.ts';
import { type CaSettings, checkedRequest, DEFAULT_CONFIG, settingsOf } from './ca-config.ts';
import { type CaTable, caRest, type RootRecord } from './ca-table.ts';
import { type MadeRoot, RootMaker } from './root-maker.ts';
import { rootTime } from './root-validity.ts';

export interface CaWriterDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly state: CatalogState;
  readonly writer: Pick<StateWriter, 'write'>;
  readonly table: CaTable;
}

export interface CaWriterOptions {
  /** The agent's ca_config: what a new cluster begins with. */
  readonly initial: Readonly<Record<string, unknown>>;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Makes, configures and rotates the authority of a cluster. Of several servers that begin at once one wins. */
export class CaWriter {
  readonly #deps: CaWriterDeps;
  readonly #options: CaWriterOptions;
  readonly #maker: RootMaker;

  constructor(deps: CaWriterDeps, options: CaWriterOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#maker = new RootMaker(deps);
  }

  /**
   * Sees to it that there is an authority. @throws AppError `config` for a wrong ca_config, `storeCorrupt` while what is stored
   * cannot be read, what the store throws.
   */
  async initialize(): Promise<void> {
    const { table, random, writer } = this.#deps;
    if (table.state) return;
    table.assertReadable();
    const { config, settings, clusterId: given } = this.#initialConfig();
    const clusterId = given || random.uuid();
    const made = await this.#madeFirst(settings, clusterId);
    await writer.write(() => {
      const plan = new PlanBuilder();
      // Another server may have been first: its authority is the cluster's.
      if (table.state) return plan.build();
      table.assertReadable();
      this.#putRoot(plan, made, clusterId);
      this.#putConfig(plan, config, false);
      return plan.build();
    });
  }

  /** @throws AppError `config` for a key or certificate of ca_config that cannot be used. */
  async #madeFirst(settings: CaSettings, clusterId: string): ReturnType<RootMaker['make']> {
    try {
      return await this.#maker.make(settings, clusterId);
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'badRequest')) throw error;
      throw new AppError('config', `connect.ca_config: ${error.message}`, { cause: error });
    }
  }

  /** @throws AppError `badRequest` with Consul's text, `notSynced` before there is an authority. */
  async configure(request: CaConfigurationRequest): Promise<void> {
    const config = checkedRequest(request);
    const { table, writer, clock } = this.#deps;
    const { old, oldKey, clusterId } = this.#present();
    const settings = settingsOf(withKnownKey(config, old, oldKey));
    const named = config.ClusterID;
    if (named !== undefined && named !== clusterId) {
      throw new AppError('badRequest', 'error configuring provider: ClusterID cannot be changed');
    }
    const isNew = asksForAnother(settings, old) || this.#hadItsTime(settings, old);
    const made = isNew ? await this.#successor(settings, clusterId, old, oldKey) : undefined;
    await writer.write(() => {
      const plan = new PlanBuilder();
      if (table.state?.record.activeId !== old.id) {
        throw new AppError('conflict', 'the root was changed meanwhile; read the configuration and try again');
      }
      plan.rely(this.#key(caRest.state), table.state);
      if (made) this.#putRoot(plan, made, clusterId);
      this.#putOld(plan, old, settings.leafTtlMs, made ? clock.now() : undefined);
      this.#putConfig(plan, config, request.forceWithoutCrossSigning);
      return plan.build();
    });
  }

  /** Forgets roots of which no certificate counts any more. */
  async prune(): Promise<void> {
    const { table, writer, clock } = this.#deps;
    const { leafTtlMs } = table.settings;
    const keepMs = ({ longestLeafMs = 0 }: RootRecord) => 2 * Math.max(leafTtlMs, longestLeafMs);
    const gone = (root: RootRecord) =>
      root.rotatedOutMs !== undefined && root.rotatedOutMs + keepMs(root) < clock.now();
    if (![...table.roots.values()].some(({ record }) => gone(record))) return;
    await writer.write(() => {
      const plan = new PlanBuilder();
      for (const stored of table.roots.values()) {
        const { id } = stored.record;
        if (!gone(stored.record) || id === table.state?.record.activeId) continue;
        plan.delete(this.#key(caRest.root(id)), stored);
        plan.delete(this.#key(caRest.key(id)), table.key(id));
      }
      return plan.build();
    });
  }

  #initialConfig(): { config: Record<string, unknown>; settings: CaSettings; clusterId: string } {
    try {
      const request = { provider: 'consul', config: this.#options.initial, forceWithoutCrossSigning: false };
      const { ClusterID: clusterId = '', ...config } = checkedRequest(request);
      const settings = settingsOf(config);
      if (clusterId !== '' && (typeof clusterId !== 'string' || !UUID.test(clusterId))) {
        throw new AppError('config', 'cluster_id must be a UUID');
      }
      return { config: { ...DEFAULT_CONFIG, ...config }, settings, clusterId: (clusterId as string).toLowerCase() };
    } catch (error) {
      const text = error instanceof AppError ? error.message : String(error);
      throw new AppError('config', `connect.ca_config: ${text}`, { cause: error });
    }
  }

  #present(): { old: RootRecord; oldKey: string; clusterId: string } {
    const { table, state } = this.#deps;
    state.assertLoaded();
    const old = table.active;
    const key = old && table.key(old.id);
    if (!old || !key || !table.state) {
      table.assertReadable();
      throw caNotReady();
    }
    return { old, oldKey: key.record.pem, clusterId: table.state.record.clusterId };
  }

  /** Whether the old root is to be replaced by its time alone. One that was given is kept for as long as it counts. */
  #hadItsTime({ leafTtlMs, rootCert }: CaSettings, old: RootRecord): boolean {
    const time = rootTime(old, leafTtlMs, this.#deps.clock.now());
    const isGiven = rootCert !== '' || this.#deps.table.rootGiven;
    return time === 'has expired' || (time !== 'good' && !isGiven);
  }

  /** What an expired root says for the new one counts for nobody. */
  async #successor(settings: CaSettings, clusterId: string, old: RootRecord, oldKey: string): Promise<MadeRoot> {
    const made = await this.#maker.make({ ...settings, key: settings.key ?? old.key }, clusterId);
    return old.notAfterMs <= this.#deps.clock.now() ? made : this.#maker.crossSigned(made, old, oldKey);
  }

  #putRoot(plan: PlanBuilder, { root, keyPem }: MadeRoot, clusterId: string): void {
    const { table } = this.#deps;
    plan.put(this.#key(caRest.root(root.id)), table.root(root.id), root);
    plan.put(this.#key(caRest.key(root.id)), table.key(root.id), { pem: keyPem });
    plan.put(this.#key(caRest.state), table.state, { clusterId, activeId: root.id });
  }

  /** Notes of the root so far when it was rotated out, and how long its certificates live when those to come live shorter. */
  #putOld(plan: PlanBuilder, { id }: RootRecord, leafTtlMs: number, rotatedOutMs: number | undefined): void {
    const { table } = this.#deps;
    const stored = table.root(id);
    const isShorter = leafTtlMs < table.settings.leafTtlMs;
    if (!stored || (rotatedOutMs === undefined && !isShorter)) return;
    const longestLeafMs = Math.max(stored.record.longestLeafMs ?? 0, table.settings.leafTtlMs);
    const rotated = rotatedOutMs === undefined ? {} : { rotatedOutMs };
    plan.put(this.#key(caRest.root(id)), stored, { ...stored.record, ...rotated, longestLeafMs });
  }

  /** The private key is the root's; it is not shown with the configuration. */
  #putConfig(plan: PlanBuilder, config: Record<string, unknown>, forceWithoutCrossSigning: boolean): void {
    const { PrivateKey: _key, ClusterID: _id, ...shown } = config;
    const record = { provider: 'consul', config: shown, forceWithoutCrossSigning };
    plan.put(this.#key(caRest.config), this.#deps.table.config, record);
  }

  #key(rest: string): string {
    const { state, table } = this.#deps;
    return state.keys.table(table.segment, rest);
  }
}

/** What Consul's clients see until the first root is there. */
export function caNotReady(): AppError {
  return new AppError('notSynced', 'CA is uninitialized and unable to sign certificates yet: no root certificate');
}

function asksForAnother(settings: CaSettings, old: RootRecord): boolean {
  const { rootCert, privateKey, key } = settings;
  if (rootCert !== '') {
    try {
      if (readCertificate(rootCert).fingerprint !== old.id) return true;
    } catch {
      // The maker says what is wrong with it.
      return true;
    }
  }
  if (privateKey !== '') return !belongsTo(readPrivateKey(privateKey), readCertificate(old.pem));
  return key !== undefined && (key.type !== old.key.type || key.bits !== old.key.bits);
}

/** The key of the active root need not be given with it again: it is shown to nobody. */
function withKnownKey(config: Record<string, unknown>, { id }: RootRecord, key: string): Record<string, unknown> {
  const { RootCert: pem, PrivateKey = '' } = config;
  if (typeof pem !== 'string' || PrivateKey !== '') return config;
  try {
    return readCertificate(pem).fingerprint === id ? { ...config, PrivateKey: key } : config;
  } catch {
    return config; // what is wrong with it is said where it is checked
  }
}
