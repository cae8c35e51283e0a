import { DEFAULT_NAMESPACE } from '../../api/shapes/catalog.ts';
import type { Session, SessionContent } from '../../api/shapes/session.ts';
import { formatGoDuration, parseGoDuration } from '../../core/duration.ts';
import { type CheckEntry, localKey, type NodeEntry } from '../catalog/entries.ts';

/** Consul's longest time to live. */
const MAX_TTL_MS = 24 * 3_600_000;
/** Consul's longest lock delay; a session shows the one that it was made with. */
export const MAX_LOCK_DELAY_MS = 60_000;
const NS_PER_MS = 1e6;

/** What a session says that cannot be, in Consul's words; undefined when nothing is wrong. */
export function contentProblem(content: SessionContent, options: { readonly ttlMinMs: number }): string | undefined {
  if (content.Behavior !== 'release' && content.Behavior !== 'delete') {
    return `Invalid Behavior setting '${content.Behavior}'`;
  }
  if (content.TTL === '') return undefined;
  const ttlMs = parseGoDuration(content.TTL);
  if (ttlMs === undefined) {
    return `Session TTL '${content.TTL}' invalid: time: invalid duration ${JSON.stringify(content.TTL)}`;
  }
  if (ttlMs !== 0 && (ttlMs < options.ttlMinMs || ttlMs > MAX_TTL_MS)) {
    const range = `[${formatGoDuration(options.ttlMinMs)}=${formatGoDuration(MAX_TTL_MS)}]`;
    return `Invalid Session TTL '${Math.round(ttlMs * NS_PER_MS)}', must be between ${range}`;
  }
  return undefined;
}

/** Milliseconds; 0 = it lives until something else ends it. */
export function ttlMs({ TTL }: Pick<Session, 'TTL'>): number {
  return TTL === '' ? 0 : (parseGoDuration(TTL) ?? 0);
}

/** How long the session's keys cannot be acquired after its end. */
export function lockDelayMs({ LockDelay }: Pick<Session, 'LockDelay'>): number {
  return Math.min(LockDelay / NS_PER_MS, MAX_LOCK_DELAY_MS);
}

/** A check that a session depends on, and the check itself if it is there. */
export interface BoundCheck {
  readonly id: string;
  readonly check: CheckEntry | undefined;
}

/** Checks of the node are found by their ids in any case, those of services in their namespace. */
export function boundChecks(content: SessionContent, node: NodeEntry, namespace: string): BoundCheck[] {
  const find = (inNamespace: string, id: string) => {
    const check = node.checks.get(localKey(inNamespace, id));
    return check?.definition ? check : undefined;
  };
  return [
    ...content.NodeChecks.map((id) => ({ id, check: find(DEFAULT_NAMESPACE, id) ?? find(namespace, id) })),
    ...(content.ServiceChecks ?? []).map(({ ID, Namespace }) => ({ id: ID, check: find(Namespace ?? namespace, ID) })),
  ];
}

/** The keys on its node under which a session may find its checks. */
export function boundKeys(content: SessionContent, namespace: string): Set<string> {
  return new Set([
    ...content.NodeChecks.flatMap((id) => [localKey(DEFAULT_NAMESPACE, id), localKey(namespace, id)]),
    ...(content.ServiceChecks ?? []).map(({ ID, Namespace }) => localKey(Namespace ?? namespace, ID)),
  ]);
}

/** Why a session cannot be on this node, in Consul's words; undefined when it can. */
export function bindingProblem(
  content: SessionContent,
  node: NodeEntry | undefined,
  namespace: string,
): string | undefined {
  if (!node) return 'Missing node registration';
  for (const { id, check } of boundChecks(content, node, namespace)) {
    if (!check) return `Missing check '${id}' registration`;
    if (check.status === 'critical') return `Check '${id}' is in critical state`;
  }
  return undefined;
}
