import { certificateTime } from '../../api/shapes/connect.ts';
import type { RootRecord } from './ca-table.ts';

const DAY_MS = 86_400_000;
/** What Consul warns of from so long before. */
const SOON_MS = 30 * DAY_MS;

type Validity = Pick<RootRecord, 'notBeforeMs' | 'notAfterMs'>;

/** How the time of a root stands. */
export type RootTime = 'good' | 'ends soon' | 'has expired' | 'counts later';

/**
 * Soon is 30 days before the end, but a tenth of a shorter life, and for twice as long as a leaf certificate lives at least, so that
 * those of the old root end in peace; never more than half of its life.
 */
export function rootTime({ notBeforeMs, notAfterMs }: Validity, leafTtlMs: number, nowMs: number): RootTime {
  const lifeMs = notAfterMs - notBeforeMs;
  const soonMs = Math.min(lifeMs / 2, Math.max(2 * leafTtlMs, Math.min(SOON_MS, lifeMs / 10)));
  if (nowMs >= notAfterMs) return 'has expired';
  if (nowMs < notBeforeMs) return 'counts later';
  return nowMs >= notAfterMs - soonMs ? 'ends soon' : 'good';
}

/** What is wrong with the time of the active root and what to do; undefined when nothing is. `given`: with ca_config or set-config. */
export function rootProblem(
  root: Validity,
  { leafTtlMs, given }: { readonly leafTtlMs: number; readonly given: boolean },
  nowMs: number,
): string | undefined {
  const time = rootTime(root, leafTtlMs, nowMs);
  if (time === 'good') return undefined;
  const what = 'the root certificate of the mesh';
  const advice = given
    ? "give another RootCert and PrivateKey with 'lictor connect ca set-config'"
    : "make another one with 'lictor connect ca set-config' and the configuration as it is";
  if (time === 'counts later')
    return `${what} counts from ${certificateTime(root.notBeforeMs)} on: set the clock of this server, or ${advice}`;
  const end = certificateTime(root.notAfterMs);
  return time === 'ends soon'
    ? `${what} ends at ${end}: ${advice}`
    : `${what} has expired at ${end}, no service gets a certificate: ${advice}`;
}
