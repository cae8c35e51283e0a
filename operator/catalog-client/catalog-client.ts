import type { OwnedEvent, OwnerState } from '../../api/shapes/owned.ts';
import type { Deregistration, Registration, WriterIdentity } from '../../api/shapes/registration.ts';

/**
 * What the operator asks of the servers. `http-catalog-client.ts` speaks their public HTTP API; a process that holds
 * both roles gives an adapter instead. Every call has a deadline and rejects with an AppError; a signal that aborts may
 * end it earlier, with an outcome that is not known.
 */
export interface CatalogClient {
  /**
   * PUT /v1/catalog/register?replace-existing-checks: node (if absent), instance and checks in one transaction; checks
   * of this instance and owner that the registration lacks are removed with it.
   * @throws AppError `staleEpoch` when a newer leader has written, `badRequest` naming the field.
   */
  register(registration: Registration, writer: WriterIdentity, signal?: AbortSignal): Promise<void>;
  /** PUT /v1/catalog/deregister; unknown entries are no error; what another owner or `ref` has written is `notOwner`. */
  deregister(target: Deregistration, writer: WriterIdentity, signal?: AbortSignal): Promise<void>;
  /** GET /v1/stream/owned: ends (or rejects) when the link breaks; the caller starts again and gets a new snapshot. */
  followOwned(owner: string, signal: AbortSignal): AsyncIterable<OwnedEvent>;
  /** GET /v1/owner/:kind/:name; epoch 0 for an owner never seen. */
  ownerState(owner: string, signal?: AbortSignal): Promise<OwnerState>;
  /** PUT /v1/owner/:kind/:name: from now on lower epochs are refused. @throws AppError `staleEpoch`. */
  claimEpoch(state: OwnerState): Promise<void>;
}
