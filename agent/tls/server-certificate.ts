import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import type { ClientTls } from '../../api/http/client-tls.ts';
import type { ServerTls } from '../../api/http/server-tls.ts';
import { AppError } from '../../core/errors.ts';
import type { TlsSettings } from '../config/agent-config.ts';

/** What is read of the world; both throw when the path cannot be read. */
export interface TlsFiles {
  readFile(path: string): string;
  readFolder(path: string): readonly string[];
}

/** A certificate with its key, ready to be served, and when it counts. */
export interface ServerCertificate {
  readonly tls: ServerTls;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

const DAY_MS = 86_400_000;
/** Long enough to act on, shorter than what is left when most issuers renew. */
const SOON_MS = 3 * DAY_MS;

/**
 * Reads what the settings name. Certificates that have expired are given too: `validityProblem` tells.
 * @throws AppError `config` naming the key, the file and what to do; never with what is in a key file.
 */
export function readServerCertificate(settings: TlsSettings, files: TlsFiles): ServerCertificate {
  const { section, certFile, keyFile } = settings;
  const cert = readText(`${section}.cert_file`, certFile, 'a certificate in PEM', files);
  const key = readText(`${section}.key_file`, keyFile, 'its private key in PEM', files);
  const first = certificateOf(`${section}.cert_file`, certFile, pemBlocks(cert)[0] ?? cert);
  const privateKey = privateKeyOf(`${section}.key_file`, keyFile, key);
  if (!first.checkPrivateKey(privateKey)) {
    throw wrong(
      `${section}.key_file`,
      `${keyFile} is not the key of the certificate in ${certFile}; give the key that belongs to it, or the certificate that was made for this key`,
    );
  }
  const ca = authorities(settings, files);
  if (settings.verifyIncoming && ca.length === 0) {
    throw wrong(
      `${section}.verify_incoming`,
      `needs to know who signs the clients' certificates; give ${section}.ca_file or ca_path`,
    );
  }
  return {
    tls: {
      cert,
      key,
      ca,
      verifyClients: settings.verifyIncoming,
      minVersion: settings.minVersion,
      cipherSuites: settings.cipherSuites,
    },
    notBeforeMs: Date.parse(first.validFrom),
    notAfterMs: Date.parse(first.validTo),
  };
}

/** What is wrong with the time of a certificate and what to do; undefined when nothing is. */
export function validityProblem(
  certificate: Pick<ServerCertificate, 'notBeforeMs' | 'notAfterMs'>,
  settings: Pick<TlsSettings, 'section' | 'certFile' | 'keyFile'>,
  nowMs: number,
): string | undefined {
  const { notBeforeMs, notAfterMs } = certificate;
  const { section, certFile, keyFile } = settings;
  const what = `${section}.cert_file: the certificate in ${certFile}`;
  const advice = `replace ${certFile} and ${keyFile}, then reload the agent`;
  if (nowMs >= notAfterMs) return `${what} expired at ${dateText(notAfterMs)}, clients refuse it: ${advice}`;
  if (nowMs < notBeforeMs)
    return `${what} counts from ${dateText(notBeforeMs)} on, clients refuse it: set the clock, or ${advice}`;
  if (nowMs >= notAfterMs - SOON_MS) return `${what} expires at ${dateText(notAfterMs)}: ${advice}`;
  return undefined;
}

/** The files whose change makes another certificate. */
export function certificatePaths(settings: TlsSettings): string[] {
  return [settings.certFile, settings.keyFile, settings.caFile, settings.caPath].filter((path) => path !== '');
}

/**
 * What a client of the servers needs: whom it trusts, and its own certificate when it has one. `serverName`: the name that the
 * certificate of a server must be for; undefined when any that a trusted authority has signed will do.
 * @throws AppError `config`, as above.
 */
export function readClientTls(settings: TlsSettings, serverName: string | undefined, files: TlsFiles): ClientTls {
  const own = settings.certFile === '' ? undefined : readServerCertificate(settings, files).tls;
  const { minVersion, cipherSuites } = settings;
  return {
    ca: authorities(settings, files),
    ...(own ? { cert: own.cert, key: own.key } : {}),
    minVersion,
    cipherSuites,
    serverName,
  };
}

/** `ca_file`, else every file of `ca_path`. */
function authorities({ section, caFile, caPath }: TlsSettings, files: TlsFiles): string[] {
  if (caFile !== '') return authoritiesOf(`${section}.ca_file`, caFile, files);
  if (caPath === '') return [];
  const key = `${section}.ca_path`;
  let names: readonly string[];
  try {
    names = files.readFolder(caPath);
  } catch (cause) {
    throw wrong(key, `${caPath} cannot be read (${reasonOf(cause)}); give a folder of certificates in PEM`, cause);
  }
  // Mounted secrets keep their versions in folders with such names.
  const found = names
    .filter((name) => !name.startsWith('..'))
    .flatMap((name) => authoritiesOf(key, join(caPath, name), files));
  if (found.length === 0) throw wrong(key, `${caPath} is empty; give a folder of certificates in PEM`);
  return found;
}

function authoritiesOf(key: string, file: string, files: TlsFiles): string[] {
  const blocks = pemBlocks(readText(key, file, 'certificates in PEM', files));
  if (blocks.length === 0)
    throw wrong(key, `${file} holds no certificate in PEM (a block that begins with "-----BEGIN CERTIFICATE-----")`);
  for (const block of blocks) certificateOf(key, file, block);
  return blocks;
}

/** The certificates of a PEM text, in their order. */
export function pemBlocks(text: string): string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
}

function readText(key: string, file: string, what: string, files: TlsFiles): string {
  try {
    return files.readFile(file);
  } catch (cause) {
    throw wrong(key, `${file} cannot be read (${reasonOf(cause)}); give the path of ${what}`, cause);
  }
}

function reasonOf(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES') return 'the user of the agent may not read it';
  return code ?? message;
}

function certificateOf(key: string, file: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    const where = `${file} holds no certificate in PEM (a block that begins with "-----BEGIN CERTIFICATE-----")`;
    throw wrong(key, /BEGIN [A-Z ]*PRIVATE KEY/.test(pem) ? `${where}, but a private key` : where, cause);
  }
}

function privateKeyOf(key: string, file: string, pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    const encrypted = /ENCRYPTED/.test(pem);
    throw wrong(
      key,
      encrypted
        ? `${file} is encrypted; give the key without a passphrase`
        : `${file} holds no private key in PEM (a block that begins with "-----BEGIN PRIVATE KEY-----")`,
      // Not the cause: its text may quote the input.
      encrypted ? cause : undefined,
    );
  }
}

function dateText(ms: number): string {
  return new Date(ms).toISOString().replace('.000', '');
}

function wrong(key: string, text: string, cause?: unknown): AppError {
  return new AppError('config', `${key}: ${text}`, { facts: { field: key }, cause });
}
