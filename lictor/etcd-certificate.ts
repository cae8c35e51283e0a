import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { AgentConfig } from '../agent/config.ts';
import { pemBlocks } from '../agent/tls/server-certificate.ts';
import type { Clock } from '../core/clock.ts';
import { AppError, errorText } from '../core/errors.ts';
import type { RunContext, Runnable } from '../core/lifecycle.ts';
import type { Logger } from '../core/log.ts';
import type { EtcdTls } from '../store/etcd/member-connections.ts';

type EtcdConfig = AgentConfig['etcd'];

const HOUR_MS = 3_600_000;
/** Long enough to act on, shorter than what is left when most issuers renew. */
const SOON_MS = 3 * 24 * HOUR_MS;

/** The files that etcd's TLS comes from. */
export function etcdTlsPaths({ caFile, certFile, keyFile }: EtcdConfig): string[] {
  return [caFile, certFile, keyFile].filter((path) => path !== '');
}

/**
 * Reads what the configuration names; undefined without TLS.
 * @throws AppError `config` naming the key, the file and what to do; never with what is in a key file.
 */
export function readEtcdTls(config: EtcdConfig): EtcdTls | undefined {
  const { endpoints, caFile, certFile, keyFile, serverName } = config;
  const tls = caFile !== '' || certFile !== '' || endpoints.some((endpoint) => endpoint.startsWith('https:'));
  if (!tls) return undefined;
  const ca = caFile === '' ? undefined : readPem('etcd.ca_file', caFile);
  if (ca) certificateOf('etcd.ca_file', caFile, ca);
  return {
    ...(ca ? { ca } : {}),
    ...(certFile === '' ? {} : ownPair(certFile, keyFile)),
    ...(serverName === '' ? {} : { serverName }),
  };
}

function ownPair(certFile: string, keyFile: string): { cert: Buffer; key: Buffer } {
  const cert = readPem('etcd.cert_file', certFile);
  const key = readPem('etcd.key_file', keyFile);
  const certificate = certificateOf('etcd.cert_file', certFile, cert);
  let fits: boolean;
  try {
    fits = certificate.checkPrivateKey(createPrivateKey(key));
  } catch {
    throw new AppError('config', `etcd.key_file: ${keyFile} holds no private key in PEM without a password`);
  }
  if (fits) return { cert, key };
  throw new AppError('config', `etcd.key_file: ${keyFile} is not the key of the certificate in ${certFile}`);
}

function readPem(key: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new AppError('config', `${key}: ${errorText(cause)}`, { cause });
  }
}

function certificateOf(key: string, path: string, pem: Buffer): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new AppError('config', `${key}: ${path} holds no certificate in PEM`, { cause });
  }
}

/** What is wrong with the time of our files for etcd, or soon will be, and what to do; undefined when nothing is. */
export function etcdCertificateProblem(
  tls: EtcdTls | undefined,
  files: Pick<EtcdConfig, 'caFile' | 'certFile' | 'keyFile'>,
  nowMs: number,
): { readonly text: string; readonly soon: boolean } | undefined {
  return ownProblem(tls, files, nowMs) ?? authorityProblem(tls, files, nowMs);
}

function ownProblem(
  tls: EtcdTls | undefined,
  { certFile, keyFile }: Pick<EtcdConfig, 'certFile' | 'keyFile'>,
  nowMs: number,
): { text: string; soon: boolean } | undefined {
  if (!tls?.cert) return undefined;
  const { validFromDate, validToDate } = new X509Certificate(tls.cert);
  const what = `etcd.cert_file: the certificate in ${certFile}`;
  const advice = `replace ${certFile} and ${keyFile}, then reload the agent (lictor reload or SIGHUP)`;
  const [from, to] = [validFromDate.toISOString(), validToDate.toISOString()];
  if (nowMs >= validToDate.getTime()) return now(`${what} expired at ${to}, etcd refuses it: ${advice}`);
  if (nowMs < validFromDate.getTime())
    return now(`${what} counts from ${from} on, etcd refuses it: set the clock, or ${advice}`);
  if (nowMs < validToDate.getTime() - SOON_MS) return undefined;
  return { text: `${what} expires at ${to}: ${advice}`, soon: true };
}

function now(text: string): { text: string; soon: boolean } {
  return { text, soon: false };
}

/** Of several authorities in a file, as while one takes another's place, one that counts is enough. */
function authorityProblem(
  tls: EtcdTls | undefined,
  { caFile }: Pick<EtcdConfig, 'caFile'>,
  nowMs: number,
): { text: string; soon: boolean } | undefined {
  const authorities = pemBlocks(tls?.ca?.toString() ?? '').map((pem) => new X509Certificate(pem));
  if (authorities.length === 0) return undefined;
  const counting = authorities.some((one) => nowMs >= one.validFromDate.getTime() && nowMs < one.validToDate.getTime());
  if (counting) return undefined;
  const times = authorities.map((one) => `from ${one.validFromDate.toISOString()} to ${one.validToDate.toISOString()}`);
  return now(
    `etcd.ca_file: what is in ${caFile} counts ${times.join(' and ')}, so no certificate of etcd does: set the clock, or ` +
      `replace ${caFile}, then reload the agent (lictor reload or SIGHUP)`,
  );
}

/** Milliseconds until the next time at which something about our certificate changes. */
function untilChange(tls: EtcdTls | undefined, nowMs: number): number {
  if (!tls?.cert) return HOUR_MS;
  const { validFromDate, validToDate } = new X509Certificate(tls.cert);
  const times = [validFromDate.getTime(), validToDate.getTime() - SOON_MS, validToDate.getTime()];
  return Math.min(HOUR_MS, ...times.filter((time) => time > nowMs).map((time) => time - nowMs));
}

/** Says at once, after each reload, when that changes, and every hour when our certificate for etcd does not count or soon will not. */
export class EtcdCertificate implements Runnable {
  readonly name = 'etcd-certificate';
  readonly #deps: { readonly clock: Clock; readonly log: Logger };
  readonly #config: EtcdConfig;
  #tls: EtcdTls | undefined;
  #rest = new AbortController();

  constructor(deps: { readonly clock: Clock; readonly log: Logger }, config: EtcdConfig) {
    this.#deps = deps;
    this.#config = config;
    this.#tls = readEtcdTls(config);
  }

  get tls(): EtcdTls | undefined {
    return this.#tls;
  }

  /** Why etcd refuses us, as far as our files tell, and what to do. */
  get problem(): string | undefined {
    const found = this.#found();
    return found?.soon ? undefined : found?.text;
  }

  #found(): ReturnType<typeof etcdCertificateProblem> {
    return etcdCertificateProblem(this.#tls, this.#config, this.#deps.clock.now());
  }

  /** Reads the files anew, for a reload; the change comes with the function that it gives. @throws AppError `config`. */
  prepare(use: (tls: EtcdTls) => void): () => void {
    const next = readEtcdTls(this.#config);
    return () => {
      if (!next || sameTls(next, this.#tls)) return;
      this.#tls = next;
      use(next);
      this.#deps.log.info('the certificates for etcd were read anew');
      this.look();
      this.#rest.abort();
    };
  }

  look(): void {
    const found = this.#found();
    if (found) this.#deps.log.warn('certificate', { text: found.text });
  }

  async run(ctx: RunContext): Promise<void> {
    ctx.ready();
    while (!ctx.signal.aborted) {
      this.look();
      this.#rest = new AbortController();
      const { clock } = this.#deps;
      await clock.sleep(untilChange(this.#tls, clock.now()), AbortSignal.any([ctx.signal, this.#rest.signal]));
    }
  }
}

function sameTls(one: EtcdTls, other: EtcdTls | undefined): boolean {
  const text = (tls: EtcdTls | undefined) =>
    [tls?.ca, tls?.cert, tls?.key].map((pem) => pem?.toString() ?? '').join('\n');
  return text(one) === text(other);
}
