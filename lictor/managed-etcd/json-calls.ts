import { connect as connectTls } from 'node:tls';
import { Agent, buildConnector, request } from 'undici';
import { type ClientTls, tlsConnector } from '../../api/http/client-tls.ts';
import { contextOptions } from '../../api/http/server-tls.ts';
import { readBounded } from '../../core/bounded-body.ts';
import { AppError, errorText } from '../../core/errors.ts';
import { tlsProblem } from './tls-problem.ts';

const CONNECT_MS = 5000;
/** For a look whether somebody is there. */
const LOOK_MS = 2000;
/** Of this process or machine: too many files, or no port or memory left. */
const OWN_PROBLEMS: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM']);
/** Lists of members and of servers, and what is wrong: some kilobytes. */
const MAX_ANSWER_BYTES = 2 ** 20;

/**
 * Calls with a JSON body to other servers and to etcd. Each has a connection of its own, so it uses certificates as
 * they are when it begins.
 */
export class JsonCalls {
  readonly #tls: (() => ClientTls) | undefined;
  readonly #dispatcher: Agent;

  /** In the clear without `tls`. */
  constructor(tls: (() => ClientTls) | undefined) {
    this.#tls = tls;
    const timeoutMs = CONNECT_MS;
    this.#dispatcher = new Agent({
      connect: tls ? tlsConnector(buildConnector, tls, { timeoutMs }) : { timeout: timeoutMs },
      pipelining: 0,
    });
  }

  get scheme(): 'http' | 'https' {
    return this.#tls ? 'https' : 'http';
  }

  /** Any answer, whatever its status. @throws AppError `unavailable` when there is none or too long a one, with what to do about TLS. */
  async call(
    method: 'GET' | 'PUT' | 'POST',
    url: string,
    body: object | undefined,
    withinMs: number,
  ): Promise<{ status: number; text: string }> {
    try {
      const response = await request(url, {
        dispatcher: this.#dispatcher,
        method,
        body: body === undefined ? null : JSON.stringify(body),
        signal: AbortSignal.timeout(withinMs),
      });
      const limit = { maxBytes: MAX_ANSWER_BYTES, what: 'who listens there' };
      const text = await readBounded(response.body, limit, (error) => `broke off the answer: ${errorText(error)}`);
      return { status: response.statusCode, text };
    } catch (cause) {
      const advice = tlsProblem(cause, this.#tls !== undefined);
      const facts = advice === undefined ? {} : { tls: advice };
      const text = advice === undefined ? errorText(cause) : `${advice} (${errorText(cause)})`;
      throw new AppError('unavailable', `${url}: ${text}`, { cause, facts });
    }
  }

  /**
   * Whether something answers at the peer port of a member, which may speak TLS when we do not. With TLS who refuses our
   * certificate, or shows one that does not count, is there as well: it must not be taken for dead.
   * @throws AppError `unavailable` when this process could not ask.
   */
  async isAlive(peerUrl: string): Promise<boolean> {
    const url = new URL(peerUrl);
    if (url.protocol === 'https:') return shakesHands(url, this.#tls?.());
    try {
      const signal = AbortSignal.timeout(LOOK_MS);
      const response = await request(`${peerUrl}/version`, { dispatcher: this.#dispatcher, signal });
      // It has answered, whatever becomes of the rest.
      response.body.dump().catch(() => {});
      return true;
    } catch (error) {
      assertAsked(peerUrl, error);
      return false;
    }
  }
}

/** What this process lacks says nothing of the other side. @throws AppError `unavailable`. */
function assertAsked(url: string, error: unknown): void {
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined || !OWN_PROBLEMS.has(code)) return;
  throw new AppError('unavailable', `${url} could not be asked: ${errorText(error)}`, { cause: error });
}

function shakesHands({ href, hostname, port }: URL, tls: ClientTls | undefined): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const host = hostname.replace(/^\[|\]$/g, '');
    const socket = connectTls({
      ...(tls ? contextOptions(tls) : {}),
      host,
      port: Number(port),
      timeout: LOOK_MS,
      rejectUnauthorized: false,
    });
    const settle = (alive: boolean): void => {
      resolve(alive);
      socket.destroy();
    };
    socket.once('timeout', () => settle(false));
    socket.once('secureConnect', () => settle(true));
    // An answer that is no TLS, or an alert.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const { code = '' } = error;
      try {
        assertAsked(href, error);
      } catch (failed) {
        reject(failed);
      }
      settle(code === 'EPROTO' || code.startsWith('ERR_SSL_'));
    });
    socket.once('close', () => settle(false));
  });
}
