import type { Clock } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import type { EtcdProcess } from './etcd-process.ts';

const ASK_MS = 500;

/**
 * The etcd of a server that has run in the clear tells the other members, as it was, where it is with TLS, and ends. It
 * calls those that have not turned yet in the clear, and they answer on these connections, so a quorum remains.
 */
export async function turnToTls(
  plain: EtcdProcess,
  peerUrl: string,
  deps: { readonly clock: Clock; readonly log: Logger },
  signal: AbortSignal,
): Promise<void> {
  const { clock, log } = deps;
  log.info('the etcd of this server turns to TLS; give the other servers tls.internal_rpc, too', { peerUrl });
  await plain.stopIfOther();
  plain.start();
  let said = '';
  while (!signal.aborted) {
    try {
      const { ownId } = await plain.members.list();
      await plain.members.move(ownId, peerUrl);
      await plain.stop();
      return;
    } catch (error) {
      const text = errorText(error);
      if (text !== said) log.info('etcd cannot be told of TLS yet', { text });
      said = text;
    }
    await clock.sleep(ASK_MS, signal);
    // It may have ended.
    plain.start();
  }
}
