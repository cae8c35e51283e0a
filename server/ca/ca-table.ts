import type { CaConfiguration, CaRoots } from '../../api/shapes/connect.ts';
import { certificateTime } from '../../api/shapes/connect.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { KeyKind } from '../../core/x509/keys.ts';
import type { StoreEntry } from '../../store/store.ts';
import { escapePart } from '../catalog/keys.ts';
import { BOOL, fields, listOf, maybe, NAME, NUMBER, OBJECT, oneOf, type Shape, TEXT } from '../catalog/record-shape.ts';
import type { ApplyContext, StateTable } from '../catalog/state-table.ts';
import { createIndexOf, modifyIndexOf, type Stored, storedJson } from '../catalog/stored.ts';
import { type CaSettings, settingsInForce } from './ca-config.ts';

/** Which cluster vouches, and with which root. */
export interface CaState {
  readonly clusterId: string;
  readonly activeId: string;
}

export interface CaConfigRecord {
  readonly provider: string;
  /** As it was given, without the private key. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly forceWithoutCrossSigning: boolean;
}

export interface RootRecord {
  readonly id: string;
  readonly name: string;
  readonly serial: number;
  readonly keyId: string;
  readonly pem: string;
  readonly intermediates: readonly string[];
  readonly key: KeyKind;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** When another one took its place; it is shown until no certificate of it counts any more. */
  readonly rotatedOutMs?: number;
  /** For how long certificates of it have been signed where that was longer than it is now. */
  readonly longestLeafMs?: number;
}

/** The private key of a root: read by signing only. */
export interface RootKeyRecord {
  readonly pem: string;
}

/** What waits for the authority's roots. */
export const CA_ROOTS_TOPIC = 'connect-ca/roots';

/** Keys within the table. */
export const caRest = {
  state: 'state',
  config: 'config',
  root: (id: string) => `root/${escapePart(id)}`,
  key: (id: string) => `key/${escapePart(id)}`,
};

/** What `CaTable.settings` can be made of. */
const SETTINGS: Shape = (value) => {
  const problem = OBJECT(value);
  if (problem !== undefined) return problem;
  try {
    settingsInForce(value as Record<string, unknown>);
    return undefined;
  } catch (error) {
    return ` cannot be used: ${errorText(error)}`;
  }
};

const SHAPES: Readonly<Record<string, Shape>> = {
  state: fields({ clusterId: NAME, activeId: TEXT }),
  config: fields({ provider: TEXT, config: SETTINGS, forceWithoutCrossSigning: BOOL }),
  root: fields({
    id: NAME,
    name: TEXT,
    serial: NUMBER,
    keyId: TEXT,
    pem: TEXT,
    intermediates: listOf(TEXT),
    key: fields({ type: oneOf('ec', 'rsa'), bits: NUMBER }),
    notBeforeMs: NUMBER,
    notAfterMs: NUMBER,
    rotatedOutMs: maybe(NUMBER),
    longestLeafMs: maybe(NUMBER),
  }),
  key: fields({ pem: NAME }),
};

/** The authority's state, configuration, roots and keys. */
export class CaTable implements StateTable {
  readonly segment = 'connect-ca';
  readonly #roots = new Map<string, Stored<RootRecord>>();
  readonly #keys = new Map<string, Stored<RootKeyRecord>>();
  #state: Stored<CaState> | undefined;
  #config: Stored<CaConfigRecord> | undefined;
  #base = 0;
  /** What is wrong with entries that cannot be read, by their keys. */
  readonly #broken = new Map<string, string>();

  /** Whether an entry cannot be read: what the authority is must not be decided without it. */
  get isBroken(): boolean {
    return this.#broken.size > 0;
  }
  /** @throws AppError `storeCorrupt` while an entry (of these kinds, where some are given) cannot be read. */
  assertReadable(...kinds: readonly (keyof typeof caRest)[]): void {
    for (const [rest, why] of this.#broken) {
      if (kinds.length === 0 || kinds.some((kind) => split(rest)[0] === kind)) throw new AppError('storeCorrupt', why);
    }
  }
  get state(): Stored<CaState> | undefined {
    return this.#state;
  }
  get config(): Stored<CaConfigRecord> | undefined {
    return this.#config;
  }
  get roots(): ReadonlyMap<string, Stored<RootRecord>> {
    return this.#roots;
  }
  key(id: string): Stored<RootKeyRecord> | undefined {
    return this.#keys.get(escapePart(id));
  }
  root(id: string): Stored<RootRecord> | undefined {
    return this.#roots.get(escapePart(id));
  }
  /** The root that signs; undefined before there is one. */
  get active(): RootRecord | undefined {
    return this.#state && this.root(this.#state.record.activeId)?.record;
  }
  /** The configuration in force with its meaning. */
  get settings(): CaSettings {
    return settingsInForce(this.#config?.record.config ?? {});
  }
  /** Whether the active root came with the configuration instead of being made here. */
  get rootGiven(): boolean {
    const { RootCert = '' } = this.#config?.record.config ?? {};
    return typeof RootCert === 'string' && RootCert.trim() !== '';
  }
  get trustDomain(): string {
    return this.#state ? `${this.#state.record.clusterId}.consul` : '';
  }

  put(rest: string, entry: StoreEntry, context: ApplyContext): void {
    this.#base = context.base;
    const [kind, id = ''] = split(rest);
    const shape = SHAPES[kind];
    if (kind === 'state') this.#state = storedJson<CaState>(entry, shape);
    else if (kind === 'config') this.#config = storedJson<CaConfigRecord>(entry, shape);
    else if (kind === 'root') this.#roots.set(id, storedJson<RootRecord>(entry, shape));
    else if (kind === 'key') this.#keys.set(id, storedJson<RootKeyRecord>(entry, shape));
    this.#broken.delete(rest);
    this.#touch(kind, context);
  }

  check(rest: string, entry: StoreEntry): void {
    storedJson(entry, SHAPES[split(rest)[0]]);
  }

  refuse(rest: string, _entry: StoreEntry, why: string, context: ApplyContext): void {
    this.delete(rest, context);
    this.#broken.set(rest, why);
  }

  delete(rest: string, context: ApplyContext): void {
    const [kind, id = ''] = split(rest);
    if (kind === 'state') this.#state = undefined;
    else if (kind === 'config') this.#config = undefined;
    else if (kind === 'root') this.#roots.delete(id);
    else if (kind === 'key') this.#keys.delete(id);
    this.#broken.delete(rest);
    this.#touch(kind, context);
  }

  clear(): void {
    this.#roots.clear();
    this.#keys.clear();
    this.#state = undefined;
    this.#config = undefined;
    this.#broken.clear();
  }

  /** The roots as clients see them, the oldest first. */
  rootsShape(): CaRoots {
    const activeId = this.#state?.record.activeId ?? '';
    const clusterId = this.#state?.record.clusterId ?? '';
    const ordered = [...this.#roots.values()].sort((a, b) => a.createRevision - b.createRevision);
    return {
      ActiveRootID: activeId,
      TrustDomain: this.trustDomain,
      Roots: ordered.map((stored) => {
        const { record } = stored;
        return {
          ID: record.id,
          Name: record.name,
          SerialNumber: record.serial,
          SigningKeyID: record.keyId,
          ExternalTrustDomain: clusterId,
          NotBefore: certificateTime(record.notBeforeMs),
          NotAfter: certificateTime(record.notAfterMs),
          RootCert: record.pem,
          IntermediateCerts: record.intermediates.length > 0 ? record.intermediates : null,
          Active: record.id === activeId,
          PrivateKeyType: record.key.type,
          PrivateKeyBits: record.key.bits,
          CreateIndex: createIndexOf(stored, this.#base),
          ModifyIndex: modifyIndexOf(stored, this.#base),
        };
      }),
    };
  }

  configShape(): CaConfiguration | undefined {
    const stored = this.#config;
    if (!stored) return undefined;
    const { provider, config, forceWithoutCrossSigning } = stored.record;
    return {
      Provider: provider,
      Config: config,
      State: null,
      ForceWithoutCrossSigning: forceWithoutCrossSigning,
      CreateIndex: createIndexOf(stored, this.#base),
      ModifyIndex: modifyIndexOf(stored, this.#base),
    };
  }

  #touch(kind: string, context: ApplyContext): void {
    if (kind === 'state' || kind === 'root') context.bump(CA_ROOTS_TOPIC, this.#state !== undefined);
  }
}

function split(rest: string): [string, string?] {
  const slash = rest.indexOf('/');
  return slash < 0 ? [rest] : [rest.slice(0, slash), rest.slice(slash + 1)];
}
