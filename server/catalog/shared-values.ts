import { type CheckDefinition, DEFAULT_NAMESPACE, type Weights } from '../../api/shapes/catalog.ts';
import type { CheckDefinitionRecord, InstanceRecord } from './records.ts';

/** Distinct values of a kind that are known at a time; where there are more, few of them are worth sharing. */
const MAX_KNOWN = 16_384;

/** What most instances have. */
const NO_TAGS: string[] = Object.freeze([]) as never[];
const EVEN_WEIGHTS: Weights = Object.freeze({ Passing: 1, Warning: 1 });
const NO_DEFINITION: CheckDefinition = Object.freeze({});

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Lets records share what is the same in many: the names of nodes, services and checks, tags, weights, empty objects.
 * Records must have just been read, or been given away, so that nobody else has them; what is shared is frozen.
 */
export class SharedValues {
  readonly #texts = new Map<string, string>();
  /** By their JSON text. */
  readonly #values = new Map<string, unknown>();

  /** The same record. */
  instance(record: Mutable<InstanceRecord>): InstanceRecord {
    const content: Mutable<InstanceRecord['content']> = record.content;
    record.node = this.text(record.node);
    record.namespace = this.#namespace(record.namespace);
    if (record.owner !== '') record.owner = this.text(record.owner);
    content.Service = this.text(content.Service);
    content.Tags = this.#tags(content.Tags);
    content.Weights = this.#weights(content.Weights);
    return record;
  }

  /** The same record; `instance`: the record of its instance, if there is one. */
  definition(record: Mutable<CheckDefinitionRecord>, instance: InstanceRecord | undefined): CheckDefinitionRecord {
    record.node = record.node === instance?.node ? instance.node : this.text(record.node);
    record.namespace = this.#namespace(record.namespace);
    if (record.owner !== '') record.owner = this.text(record.owner);
    record.name = this.text(record.name);
    if (record.serviceId === instance?.content.ID) record.serviceId = instance.content.ID;
    if (Object.keys(record.definition).length === 0) record.definition = NO_DEFINITION;
    return record;
  }

  text(value: string): string {
    return known(this.#texts, value, value);
  }

  #namespace(namespace: string): string {
    return namespace === DEFAULT_NAMESPACE ? DEFAULT_NAMESPACE : this.text(namespace);
  }

  #tags(tags: string[]): string[] {
    return tags.length === 0 ? NO_TAGS : this.#value(tags);
  }

  #weights(weights: Weights): Weights {
    return weights.Passing === 1 && weights.Warning === 1 ? EVEN_WEIGHTS : this.#value(weights);
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
