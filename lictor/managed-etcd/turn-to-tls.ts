import type { Clock } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import type { EtcdProcess } from './etcd-process.ts';

export interface TurnDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** Whether other servers of the cluster answer by TLS and have a quorum. */
  readonly othersTurned: () => Promise<boolean>;
}

const ASK_MS = 500;

/**
 * The etcd of a server that has run in the clear tells the other members, as it was, where it is with TLS, and ends.
 * Those that have turned call those that have not in the clear, and they answer on these connections, so a quorum remains;
 * but one that comes when the others have turned, or hears nothing of what it told, does not reach them: it ends at once,
 * and the others tell etcd where it is when it enters through them.
 */
export async function turnToTls(
  plain: EtcdProcess,
  peerUrl: string,
  deps: TurnDeps,
  signal: AbortSignal,
): Promise<void> {
  const { clock, log, othersTurned } = deps;
  log.info('the etcd of this server turns to TLS; give the other servers tls.internal_rpc, too', { peerUrl });
  await plain.stopIfOther();
  let said = '';
  while (!signal.aborted && !(await othersTurned())) {
    if (plain.pid === undefined) plain.start();
    try {
      const { ownId } = await plain.members.list();
      await plain.members.move(ownId, peerUrl);
      break;
    } catch (error) {
      const text = errorText(error);
      if (text !== said) log.info('etcd cannot be told of TLS yet', { text });
      said = text;
    }
    await clock.sleep(ASK_MS, signal);
  }
  if (!signal.aborted) await plain.stop();
}
