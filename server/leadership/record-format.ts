import { DEFAULT_NAMESPACE } from '../../api/shapes/catalog.ts';
import type { Clock } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import { aborted, type RunContext, type Runnable } from '../../core/lifecycle.ts';
import type { Logger } from '../../core/log.ts';
import type { Store } from '../../store/store.ts';
import type { CatalogState } from '../catalog/state.ts';
import { SERVER_SERVICE } from '../server-registration.ts';

/** The format of a store from which on all who have it open know packed records. */
const PACKED_FORMAT = 2;
/** In the metadata of the servers' own service: the newest format that a server knows. */
const META = 'lictor_record_format';
const LOOK_MS = 2000;

/** What a server tells the others of itself. */
export const SERVER_META: Readonly<Record<string, string>> = { [META]: String(PACKED_FORMAT) };

/** Whether everyone who may read the store knows packed records. */
export function mayPack({ traits, format }: Pick<Store, 'traits' | 'format'>): boolean {
  return !traits.replicated || (format?.known() ?? 0) >= PACKED_FORMAT;
}

/**
 * Lets the leader pack records once all servers that the catalog lists know them, as after a rolling upgrade: from then on
 * the store names a format that earlier versions refuse.
 */
export class RecordFormat implements Runnable {
  readonly name = 'record-format';
  readonly #deps: { readonly store: Store; readonly state: CatalogState; readonly clock: Clock; readonly log: Logger };
  #toldOf = '';

  constructor(deps: { store: Store; state: CatalogState; clock: Clock; log: Logger }) {
    this.#deps = deps;
  }

  async run({ signal, ready }: RunContext): Promise<void> {
    const { state, clock } = this.#deps;
    ready();
    while (!signal.aborted && !state.packs) {
      await this.#look();
      if (!state.packs) await clock.sleep(LOOK_MS, signal);
    }
    await aborted(signal);
  }

  async #look(): Promise<void> {
    const { store, state, log } = this.#deps;
    const servers = state.service(DEFAULT_NAMESPACE, SERVER_SERVICE);
    const older = servers.filter(({ Service }) => !(Number(Service.Meta?.[META]) >= PACKED_FORMAT));
    if (older.length > 0) this.#tellOf(older.map(({ Node }) => Node.Node).sort());
    if (servers.length === 0 || older.length > 0 || !store.format) return;
    try {
      await store.format.raise(PACKED_FORMAT);
    } catch (error) {
      log.debug('the format of the store could not be raised yet', { text: errorText(error) });
      return;
    }
    state.packFromNowOn();
    log.info('all servers know packed records: earlier versions can no longer use this store', {
      format: PACKED_FORMAT,
    });
  }

  /** Once for the same ones. */
  #tellOf(names: readonly string[]): void {
    const servers = names.join();
    if (servers === this.#toldOf) return;
    this.#toldOf = servers;
    this.#deps.log.info('records stay in their plain form while servers of an earlier version are listed', { servers });
  }
}
