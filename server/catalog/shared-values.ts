import type { CheckDefinitionRecord, InstanceRecord } from './records.ts';

/** Distinct values of a kind that are known at a time; where there are more, few of them are worth sharing. */
const MAX_KNOWN = 16_384;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Lets records share what is the same in many: the names of nodes, services and checks, tags, weights, empty objects.
 * Records must have just been read, so that nobody else has them; what is shared is frozen.
 */
export class SharedValues {
  readonly #texts = new Map<string, string>();
  /** By their JSON text. */
  readonly #values = new Map<string, unknown>();

  /** The same record. */
  instance(record: Mutable<InstanceRecord>): InstanceRecord {
    const content: Mutable<InstanceRecord['content']> = record.content;
    record.node = this.text(record.node);
    record.namespace = this.text(record.namespace);
    record.owner = this.text(record.owner);
    content.Service = this.text(content.Service);
    content.Tags = this.#value(content.Tags);
    content.Weights = this.#value(content.Weights);
    return record;
  }

  /** The same record; `instanceId`: how its instance, if there is one, spells its id. */
  definition(record: Mutable<CheckDefinitionRecord>, instanceId: string | undefined): CheckDefinitionRecord {
    record.node = this.text(record.node);
    record.namespace = this.text(record.namespace);
    record.owner = this.text(record.owner);
    record.name = this.text(record.name);
    if (record.serviceId === instanceId) record.serviceId = instanceId;
    if (Object.keys(record.definition).length === 0) record.definition = this.#value(record.definition);
    return record;
  }

  text(value: string): string {
    return known(this.#texts, value, value);
  }

  #value<T>(value: T): T {
    return known(this.#values, JSON.stringify(value), Object.freeze(value)) as T;
  }
}

function known<T>(values: Map<string, T>, key: string, value: T): T {
  const found = values.get(key);
  if (found !== undefined) return found;
  if (values.size >= MAX_KNOWN) values.clear();
  values.set(key, value);
  return value;
}
