import type { IntentionWrites } from '../../api/routes/intention-routes.ts';
import { orderedSources } from '../../api/shapes/config-entry/access-kinds.ts';
import { checkConfigEntry } from '../../api/shapes/config-entry/decode.ts';
import type { IntentionSource, ServiceIntentions } from '../../api/shapes/config-entry/entry.ts';
import type { IntentionContent, ServiceName } from '../../api/shapes/intention.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { Random } from '../../core/random.ts';
import type { ConfigWriter } from '../config-entries/config-writer.ts';
import type { IntentionIndex } from './intention-index.ts';

export interface IntentionWriterDeps {
  readonly clock: Pick<Clock, 'now'>;
  readonly random: Pick<Random, 'uuid'>;
  readonly index: IntentionIndex;
  readonly writer: Pick<ConfigWriter, 'change'>;
}

/** Writes single intentions: sources of their destination's configuration entry, which goes with the last of them. */
export class IntentionWriter implements IntentionWrites {
  readonly #deps: IntentionWriterDeps;

  constructor(deps: IntentionWriterDeps) {
    this.#deps = deps;
  }

  async put(source: ServiceName, destination: string, { given }: IntentionContent): Promise<void> {
    const { Peer: _, ...rest } = given;
    const wanted = { ...rest, Name: source.name, ...(source.peer !== undefined && { Peer: source.peer }) };
    await this.#change(destination, (sources) => {
      const old = sources.find((one) => isOf(one, source));
      if (!old) return [...sources, wanted];
      return sources.map((one) => (one === old ? this.#keepingId(wanted, old) : one));
    });
  }

  async delete(source: ServiceName, destination: string): Promise<void> {
    await this.#change(destination, (sources) => sources.filter((one) => !isOf(one, source)));
  }

  async create({ destination, given, meta }: IntentionContent): Promise<string> {
    checkDestination(destination);
    const id = this.#deps.random.uuid();
    const now = this.#now();
    const source: IntentionSource = {
      ...given,
      LegacyID: id,
      ...(meta && { LegacyMeta: meta }),
      LegacyCreateTime: now,
      LegacyUpdateTime: now,
    };
    await this.#change(destination, (sources) => [...sources, source]);
    return id;
  }

  async update(id: string, { destination, given, meta }: IntentionContent): Promise<void> {
    const known = this.#existing(id, 'modify');
    if (destination !== '' && destination.toLowerCase() !== known.DestinationName.toLowerCase()) {
      throw refused('Cannot modify DestinationNS or DestinationName for an intention once it exists.');
    }
    await this.#change(known.DestinationName, (sources) => {
      const old = sources.find((one) => one.LegacyID === id);
      if (!old) throw refused(`Cannot modify non-existent intention: '${id}'`);
      const { LegacyMeta: _, ...kept } = this.#keepingId(given, old);
      return sources.map((one) => (one === old ? { ...kept, ...(meta && { LegacyMeta: meta }) } : one));
    });
  }

  async deleteById(id: string): Promise<void> {
    const { DestinationName: destination } = this.#existing(id, 'delete');
    await this.#change(destination, (sources) => sources.filter((one) => one.LegacyID !== id));
  }

  /** An intention that has an id keeps it, whichever way it is written. */
  #keepingId(next: IntentionSource, old: IntentionSource): IntentionSource {
    if (old.LegacyID === undefined) return next;
    const { LegacyID, LegacyMeta, LegacyCreateTime } = old;
    return {
      ...next,
      LegacyID,
      ...(LegacyMeta && { LegacyMeta }),
      LegacyCreateTime: LegacyCreateTime!,
      LegacyUpdateTime: this.#now(),
    };
  }

  async #change(
    destination: string,
    next: (sources: readonly IntentionSource[]) => readonly IntentionSource[],
  ): Promise<void> {
    await this.#deps.writer.change('service-intentions', destination, (before) => {
      const old = before?.stored.record as ServiceIntentions | undefined;
      const sources = next(old?.Sources ?? []);
      if (sources.length === 0) return undefined;
      const Name = old?.Name ?? destination;
      const entry: ServiceIntentions = {
        ...(old ?? { Kind: 'service-intentions' }),
        Name,
        Sources: orderedSources(sources, Name),
      };
      checkConfigEntry(entry);
      return entry;
    });
  }

  #existing(id: string, verb: string) {
    const known = this.#deps.index.byId(id);
    if (!known) throw refused(`Cannot ${verb} non-existent intention: '${id}'`);
    return known;
  }

  #now(): string {
    return new Date(this.#deps.clock.now()).toISOString();
  }
}

function isOf(source: IntentionSource, { name, peer }: ServiceName): boolean {
  return source.Name.toLowerCase() === name.toLowerCase() && (source.Peer ?? '') === (peer ?? '');
}

function checkDestination(destination: string): void {
  if (destination === '') throw refused('DestinationName must be set');
}

function refused(text: string): AppError {
  return new AppError('badRequest', text);
}
