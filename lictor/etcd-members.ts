import { isIP } from 'node:net';
import { connect } from 'node:tls';
import { AppError } from '../core/errors.ts';
import { parseEndpoints } from '../store/etcd/endpoints.ts';
import type { EtcdTls } from '../store/etcd/member-connections.ts';

/** For a handshake; whoever is slower is told of without it. */
const LOOK_MS = 2000;

/**
 * What certificates the members show, whether they count or not, so that a refusal can say so: names and times, one
 * sentence for each member that answers.
 */
export async function shownCertificates(endpoints: readonly string[], tls: EtcdTls): Promise<string[]> {
  const members = parseEndpoints(endpoints, true).filter((endpoint) => endpoint.tls);
  const looks = await Promise.allSettled(members.map((member) => look(member, tls)));
  return looks.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
}

function look({ host, target }: { host: string; target: string }, tls: EtcdTls): Promise<string> {
  const port = Number(target.slice(target.lastIndexOf(':') + 1));
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port,
      ...(isIP(host) === 0 ? { servername: tls.serverName ?? host } : {}),
      ...(tls.cert && tls.key ? { cert: tls.cert, key: tls.key } : {}),
      // Nothing is said to it: only its certificate is looked at.
      rejectUnauthorized: false,
      timeout: LOOK_MS,
    });
    const fail = (): void => {
      socket.destroy();
      reject(new AppError('unavailable', `etcd ${target} shows no certificate`));
    };
    socket.once('error', fail);
    socket.once('timeout', fail);
    socket.once('close', fail);
    socket.once('secureConnect', () => {
      const shown = socket.getPeerX509Certificate();
      if (!shown) return fail();
      const { subjectAltName, subject, validFromDate, validToDate } = shown;
      const names = subjectAltName ?? subject.split('\n').join(', ');
      const times = `from ${validFromDate.toISOString()} to ${validToDate.toISOString()}`;
      resolve(`etcd ${target} shows a certificate for ${names} that counts ${times}`);
      socket.destroy();
    });
  });
}
