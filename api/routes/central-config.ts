import type { Reading } from '../blocking-query.ts';
import { flagParam } from '../http/request-params.ts';
import type { RouteRequest } from '../http/route.ts';
import type { HealthEntry, ServiceInstance } from '../shapes/catalog.ts';
import type { LiveRead } from './catalog-backend.ts';

/** What configuration entries say of proxies. */
export interface CentralConfig {
  /** A proxy or gateway with what the entries say of it; the same object for other instances. */
  merge(instance: ServiceInstance): ServiceInstance;
  /** Changes with the entries. */
  live(): LiveRead<undefined>;
}

/** What `?merge-central-config` asks for. */
export interface Merging {
  /** Belongs into the key of the answer. */
  readonly key: string;
  live<T>(live: LiveRead<T>): LiveRead<T>;
  instance(instance: ServiceInstance): ServiceInstance;
  entry(entry: HealthEntry): HealthEntry;
}

const AS_REGISTERED: Merging = { key: '', live: (live) => live, instance: (one) => one, entry: (one) => one };

/** @throws AppError `badRequest` unless the flag is one of Go's spellings of true or false. */
export function mergingOf(central: CentralConfig, { query }: Pick<RouteRequest, 'query'>): Merging {
  if (!flagParam(query, 'merge-central-config')) return AS_REGISTERED;
  return {
    key: 'merged',
    live: (live) => together(live, central.live()),
    instance: (instance) => central.merge(instance),
    entry(entry) {
      const merged = central.merge(entry.Service);
      return merged === entry.Service ? entry : { ...entry, Service: merged };
    },
  };
}

/** The value of one read, as new as the newer of two. */
function together<T>(live: LiveRead<T>, other: LiveRead<unknown>): LiveRead<T> {
  return {
    run(): Reading<T> {
      const [reading, also] = [live.run(), other.run()];
      return {
        get value() {
          return reading.value;
        },
        index: Math.max(reading.index, also.index),
        applied: reading.applied,
      };
    },
    version: () =>
      Math.max((live.version ?? (() => live.run().index))(), (other.version ?? (() => other.run().index))()),
    watch(wake) {
      const stop = live.watch(wake);
      try {
        const stopOther = other.watch(wake);
        return () => {
          stop();
          stopOther();
        };
      } catch (error) {
        stop();
        throw error;
      }
    },
  };
}
