import { createHash } from 'node:crypto';
import { DEFAULT_NAMESPACE } from '../../api/shapes/catalog.ts';
import type { ConfigKind, Indexes, IntentionSource, ServiceIntentions } from '../../api/shapes/config-entry/entry.ts';
import type { Intention } from '../../api/shapes/intention.ts';
import type { EntryIndex, KeptEntry } from '../config-entries/config-table.ts';

const WILDCARD = '*';
const NONE: readonly Intention[] = [];

/** Intentions by destination, source and id, in memory from the configuration entries of their destinations. */
export class IntentionIndex implements EntryIndex {
  /** The highest precedence first. */
  readonly #byDestination = new Map<string, readonly Intention[]>();
  readonly #bySource = new Map<string, Map<string, Intention>>();
  readonly #byId = new Map<string, Intention>();

  changed(kind: ConfigKind, name: string, entry: KeptEntry | undefined): void {
    if (kind !== 'service-intentions') return;
    const destination = name.toLowerCase();
    for (const old of this.#byDestination.get(destination) ?? NONE) this.#forget(destination, old);
    this.#byDestination.delete(destination);
    if (!entry) return;
    const { Sources, Name } = entry.stored.record as ServiceIntentions;
    const intentions = Sources.map((source) => intentionOf(source, Name, entry.indexes)).sort(byPrecedence);
    this.#byDestination.set(destination, intentions);
    for (const intention of intentions) this.#keep(destination, intention);
  }

  clear(): void {
    this.#byDestination.clear();
    this.#bySource.clear();
    this.#byId.clear();
  }

  /** All, the highest precedence first. */
  list(): Intention[] {
    return [...this.#byDestination.values()].flat().sort(byPrecedence);
  }

  byId(id: string): Intention | undefined {
    return this.#byId.get(id);
  }

  exact(source: { name: string; peer?: string }, destination: string): Intention | undefined {
    const own = this.#byDestination.get(destination.toLowerCase()) ?? NONE;
    return own.find((one) => sourceKey(one.SourceName, one.SourcePeer) === sourceKey(source.name, source.peer));
  }

  /** Those whose destination is this service or any, the highest precedence first. */
  to(destination: string): readonly Intention[] {
    const any = this.#byDestination.get(WILDCARD) ?? NONE;
    if (destination === WILDCARD) return any;
    // Precedence of the exact destination is higher, whatever the source.
    return [...(this.#byDestination.get(destination.toLowerCase()) ?? NONE), ...any];
  }

  /** Those whose source is this service of the cluster or any, the highest precedence first. */
  from(source: string): Intention[] {
    const keys = source === WILDCARD ? [WILDCARD] : [source, WILDCARD];
    return keys.flatMap((key) => [...(this.#bySource.get(sourceKey(key))?.values() ?? [])]).sort(byPrecedence);
  }

  #keep(destination: string, intention: Intention): void {
    const key = sourceKey(intention.SourceName, intention.SourcePeer);
    const of = this.#bySource.get(key) ?? new Map<string, Intention>();
    this.#bySource.set(key, of.set(destination, intention));
    if (intention.ID !== undefined) this.#byId.set(intention.ID, intention);
  }

  #forget(destination: string, intention: Intention): void {
    const key = sourceKey(intention.SourceName, intention.SourcePeer);
    const of = this.#bySource.get(key);
    of?.delete(destination);
    if (of?.size === 0) this.#bySource.delete(key);
    if (intention.ID !== undefined) this.#byId.delete(intention.ID);
  }
}

function sourceKey(name: string, peer = ''): string {
  return `${peer}/${name.toLowerCase()}`;
}

function intentionOf(source: IntentionSource, destination: string, indexes: Indexes): Intention {
  const legacy = source.LegacyID !== undefined;
  return {
    ...(legacy && {
      ID: source.LegacyID!,
      CreatedAt: source.LegacyCreateTime!,
      UpdatedAt: source.LegacyUpdateTime!,
      Hash: createHash('sha256')
        .update(JSON.stringify([source, destination]))
        .digest('base64'),
    }),
    ...(source.Description !== undefined && { Description: source.Description }),
    SourceNS: DEFAULT_NAMESPACE,
    SourceName: source.Name,
    ...(source.Peer !== undefined && { SourcePeer: source.Peer }),
    DestinationNS: DEFAULT_NAMESPACE,
    DestinationName: destination,
    SourceType: source.Type,
    ...(source.Action && { Action: source.Action }),
    ...(source.Permissions && { Permissions: source.Permissions }),
    ...(source.LegacyMeta && { Meta: source.LegacyMeta }),
    Precedence: source.Precedence,
    ...indexes,
  };
}

function byPrecedence(a: Intention, b: Intention): number {
  return (
    b.Precedence - a.Precedence ||
    compare(a.SourcePeer ?? '', b.SourcePeer ?? '') ||
    compare(a.SourceName, b.SourceName) ||
    compare(a.DestinationName, b.DestinationName)
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
