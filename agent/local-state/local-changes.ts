import type { CheckStatus } from '../../api/shapes/catalog.ts';
import {
  type LocalCheck,
  type LocalCheckDeclaration,
  type LocalService,
  type LocalVerdict,
  localKey,
  type Origin,
} from './local-records.ts';

/** What happened to an entry. `verdict` tells whether the status changed or the output only. */
export type LocalChange =
  | {
      readonly kind: 'service';
      readonly key: string;
      /** Whether the catalog has told it, so that there is nothing to write. */
      readonly fromCatalog?: true;
    }
  | {
      readonly kind: 'check';
      readonly key: string;
      readonly origin: Origin;
      /** Key of the service it belongs to; undefined for a check of the node itself. */
      readonly serviceKey: string | undefined;
      /** Key of the service that it belonged to until now, '' for the node itself; absent when it has not moved. */
      readonly movedFrom?: string;
      /** Whether its first run must come at once: its state is not known, or its definition has changed. */
      readonly prompt: boolean;
      /** How many checks come together. */
      readonly crowd: number;
    }
  | { readonly kind: 'verdict'; readonly key: string; readonly statusChanged: boolean };

/** A check as registered: with `status` the caller says what it is; else a known state is kept. */
export interface CheckToRegister {
  readonly declaration: LocalCheckDeclaration;
  readonly status: CheckStatus;
  readonly output: string;
  /** Whether a state known from an earlier registration stays. */
  readonly keepState: boolean;
}

/** A service as registered, with the checks that its definition names. */
export interface ServiceToRegister {
  readonly service: LocalService;
  readonly checks: readonly CheckToRegister[];
}

/** State halves by the key of their check; undefined: none is left of it. */
export type Verdicts = Map<string, LocalVerdict | undefined>;

/** What listeners are to hear of a check. `old`: what it was before. */
export function checkChange(
  key: string,
  check: LocalCheckDeclaration,
  how: { prompt: boolean; crowd: number; old?: LocalCheck | undefined },
): LocalChange {
  const { prompt, crowd, old } = how;
  const serviceKey = serviceKeyOf(check) || undefined;
  return { kind: 'check', key, origin: check.origin, serviceKey, prompt, crowd, ...movedFrom(old, check) };
}

/** Whether a check belongs to another service than before. */
export function hasMoved(old: LocalCheck | undefined, check: LocalCheckDeclaration): boolean {
  return movedFrom(old, check) !== undefined;
}

function movedFrom(old: LocalCheck | undefined, check: LocalCheckDeclaration): { movedFrom: string } | undefined {
  return old && serviceKeyOf(old) !== serviceKeyOf(check) ? { movedFrom: serviceKeyOf(old) } : undefined;
}

/** Key of the service that a check belongs to; '' for a check of the node itself. */
function serviceKeyOf({ namespace, serviceId }: LocalCheckDeclaration): string {
  return serviceId === '' ? '' : localKey(namespace, serviceId);
}
