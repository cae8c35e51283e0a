import type { Intention, ServiceName } from '../../api/shapes/intention.ts';

export type IntentionPolicy = 'allow' | 'deny';

/** `permissions`: each request is decided on its own, and a bare connection is not let through. */
export interface Decision {
  readonly result: IntentionPolicy | 'permissions';
  /** The intention that decided; undefined when none fits. */
  readonly by: Intention | undefined;
}

/**
 * Whether a source may connect to a destination: of the intentions of that destination the highest that fits decides.
 * @param intentions those of the destination and of `*`, the highest precedence first.
 */
export function evaluateIntention(
  source: ServiceName,
  intentions: readonly Intention[],
  defaultPolicy: IntentionPolicy,
): Decision {
  const by = intentions.find((intention) => fits(intention, source));
  if (!by) return { result: defaultPolicy, by };
  return { result: by.Action ?? 'permissions', by };
}

/** A wildcard stands for every service of this cluster, or of one peer. */
function fits({ SourceName, SourcePeer }: Intention, { name, peer }: ServiceName): boolean {
  if ((SourcePeer ?? '') !== (peer ?? '')) return false;
  return SourceName === '*' || SourceName.toLowerCase() === name.toLowerCase();
}
