import { DEFAULT_NAMESPACE } from '../../api/shapes/catalog.ts';
import type { Clock } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import { aborted, type RunContext, type Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { Store, StoreFormat } from '../../store/store.ts';
import type { CatalogState } from '../catalog/state.ts';
import { SERVER_SERVICE } from '../server-registration.ts';
import type { Leadership } from './leadership.ts';

/** The format of a store from which on all who have it open know packed records. */
const PACKED_FORMAT = 2;
/** In the metadata of the servers' own service: the newest format that a server knows. */
const META = 'lictor_record_format';
const LOOK_MS = 2000;
/** While records are packed. */
const KEEP_MS = 60_000;
/** Without a server of an earlier version among those that are listed: longer than one takes to be listed again. */
const SETTLED_MS = 30_000;

/** What a server tells the others of the formats that it knows. */
export const SERVER_META: Readonly<Record<string, string>> = { [META]: String(PACKED_FORMAT) };

/** Whether everyone who may read the store knows packed records, as far as this process knows. */
export function mayPack({ traits, format }: Pick<Store, 'traits' | 'format'>): boolean {
  return !traits.replicated || (format?.known() ?? 0) >= PACKED_FORMAT;
}

/** Whether what the store holds at this moment may be packed. @throws what the store throws. */
export async function mayHoldPacked({ traits, format }: Pick<Store, 'traits' | 'format'>): Promise<boolean> {
  return !traits.replicated || ((await format?.read()) ?? 0) >= PACKED_FORMAT;
}

export interface RecordFormatDeps {
  readonly store: Pick<Store, 'format'>;
  readonly state: Pick<CatalogState, 'packs' | 'packFromNowOn' | 'service' | 'onReset'>;
  readonly leadership: Pick<Leadership, 'leads' | 'fence'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Packs records from when the store's format says that all who read it know them. The leader raises it once all servers that the
 * catalog lists say that they do, as after a rolling upgrade: earlier versions refuse the store from then on.
 */
export class RecordFormat implements Runnable {
  readonly name = 'record-format';
  readonly #deps: RecordFormatDeps;
  #toldOf = '';
  #settledSince: number | undefined;

  constructor(deps: RecordFormatDeps) {
    this.#deps = deps;
    deps.state.onReset(() => {
      this.#settledSince = undefined;
    });
  }

  async run({ signal, ready }: RunContext): Promise<void> {
    const { store, state, clock, log } = this.#deps;
    const { format } = store;
    ready();
    while (format && !signal.aborted) {
      try {
        await this.#look(format);
      } catch (error) {
        log.debug('the format of the store could not be looked at yet', { text: errorText(error) });
      }
      await clock.sleep(state.packs ? KEEP_MS : LOOK_MS, signal);
    }
    await aborted(signal);
  }

  async #look(format: StoreFormat): Promise<void> {
    const { state, leadership } = this.#deps;
    if (state.packs) {
      // It is there already, unless etcd was restored from a backup of before.
      if (leadership.leads()) await this.#raise(format);
      return;
    }
    if ((await format.read()) < PACKED_FORMAT) {
      if (!leadership.leads()) this.#settledSince = undefined;
      if (!leadership.leads() || !this.#isSettled()) return;
      await this.#raise(format);
    }
    state.packFromNowOn();
  }

  async #raise(format: StoreFormat): Promise<void> {
    const { leadership, log } = this.#deps;
    if (!(await format.raise(PACKED_FORMAT, leadership.fence()))) return;
    log.info('the format of the store was raised: earlier versions can no longer use it', {
      format: PACKED_FORMAT,
    });
  }

  /** Whether all servers that are listed have known packed records for a while. */
  #isSettled(): boolean {
    const { state, clock } = this.#deps;
    const servers = state.service(DEFAULT_NAMESPACE, SERVER_SERVICE);
    const older = servers.filter(({ Service }) => !(Number(Service.Meta?.[META]) >= PACKED_FORMAT));
    if (servers.length === 0 || older.length > 0) {
      this.#settledSince = undefined;
      this.#tellOf(older.map(({ Node }) => Node.Node).sort());
      return false;
    }
    this.#settledSince ??= clock.monotonic();
    return clock.monotonic() - this.#settledSince >= SETTLED_MS;
  }

  /** Once for the same ones. */
  #tellOf(names: readonly string[]): void {
    const servers = names.join();
    if (servers === this.#toldOf) return;
    this.#toldOf = servers;
    if (servers === '') return;
    this.#deps.log.info('records stay in their plain form while servers of an earlier version are listed', { servers });
  }
}
