import type { OwnerBackend } from '../../api/routes/catalog-backend.ts';
import type { OwnedEvent, OwnerState } from '../../api/shapes/owned.ts';
import type { OwnedHub } from '../catalog/owned-hub.ts';
import type { CatalogState } from '../catalog/state.ts';
import type { CatalogWriter } from '../catalog/writer.ts';
import { checkOwnerName } from '../catalog/writer-rules.ts';

/** What owners ask of this server. */
export class StateOwnerBackend implements OwnerBackend {
  readonly #state: CatalogState;
  readonly #writer: CatalogWriter;
  readonly #hub: OwnedHub;

  constructor(deps: { state: CatalogState; writer: CatalogWriter; hub: OwnedHub }) {
    this.#state = deps.state;
    this.#writer = deps.writer;
    this.#hub = deps.hub;
  }

  ownerState(owner: string): OwnerState {
    this.#state.assertLoaded();
    checkOwnerName(owner);
    return { Owner: owner, Epoch: this.#state.owner(owner)?.record.epoch ?? 0 };
  }

  async claimEpoch(state: OwnerState): Promise<void> {
    checkOwnerName(state.Owner);
    await this.#writer.claimEpoch(state);
  }

  followOwned(owner: string, signal: AbortSignal): AsyncIterable<OwnedEvent> {
    checkOwnerName(owner);
    return this.#hub.follow(owner, signal);
  }
}
