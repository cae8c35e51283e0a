import { renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { registeredSuites } from '../../agent/config/tls.ts';
import type { AgentConfig } from '../../agent/config.ts';
import { rpcServerName } from '../../agent/tls/rpc-tls.ts';
import {
  readServerCertificate,
  type ServerCertificate,
  type TlsFiles,
  validityProblem,
} from '../../agent/tls/server-certificate.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { makeFolder } from '../../core/make-folder.ts';
import type { EtcdTls } from '../../store/etcd/member-connections.ts';
import { checkMemberCertificate } from './member-certificate.ts';

/** What an etcd is told of TLS. */
export interface MemberTlsFiles {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** The name that the other members' certificates must be for; any when undefined. */
  readonly peerName: string | undefined;
  readonly minVersion: ServerCertificate['tls']['minVersion'];
  /** By their registered names; etcd's own choice when empty. */
  readonly cipherSuites: readonly string[];
}

interface Read {
  readonly certificate: ServerCertificate;
  readonly serverName: string | undefined;
}

/**
 * The certificate of `tls.internal_rpc` as the server's etcd uses it. Etcd gets copies of the files that were found
 * right: a reload changes all of the agent or nothing, and the authorities of `ca_path` become the one file that etcd takes.
 */
export class MemberTls {
  readonly #deps: { readonly files: TlsFiles };
  readonly #at: { readonly folder: string; readonly address: string };
  #current: Read;
  #saved = false;

  /** @throws AppError `config` for a certificate that no other member would accept. */
  constructor(
    deps: { readonly files: TlsFiles; readonly clock: Pick<Clock, 'now'> },
    config: AgentConfig,
    at: { readonly folder: string; readonly address: string },
  ) {
    this.#deps = deps;
    this.#at = at;
    this.#current = this.#read(config);
    const { certificate } = this.#current;
    const nowMs = deps.clock.now();
    if (nowMs >= certificate.notBeforeMs && nowMs < certificate.notAfterMs) return;
    throw new AppError('config', validityProblem(certificate, config.tls.internalRpc, nowMs)!);
  }

  get files(): MemberTlsFiles {
    const { minVersion, cipherSuites } = this.#current.certificate.tls;
    return {
      caFile: this.#file('ca.pem'),
      certFile: this.#file('cert.pem'),
      keyFile: this.#file('key.pem'),
      peerName: this.#current.serverName,
      minVersion,
      cipherSuites: registeredSuites(cipherSuites),
    };
  }

  /** For a client on this machine. The own etcd's certificate is always for its address. */
  get client(): EtcdTls {
    const { cert, key, ca } = this.#current.certificate.tls;
    return {
      ca: Buffer.from(ca.join('\n')),
      cert: Buffer.from(cert),
      key: Buffer.from(key),
      serverName: this.#current.serverName ?? this.#at.address,
    };
  }

  /** Writes the files. Etcd reads the certificate and its key for each connection, the rest at its start. */
  save(): void {
    this.#saved = true;
    makeFolder(this.#at.folder, 0o700);
    const { cert, key, ca } = this.#current.certificate.tls;
    const texts = { 'ca.pem': `${ca.join('\n')}\n`, 'key.pem': key, 'cert.pem': cert };
    for (const [name, text] of Object.entries(texts)) writeFileSync(this.#file(`${name}.new`), text, { mode: 0o600 });
    for (const name of Object.keys(texts)) renameSync(this.#file(`${name}.new`), this.#file(name));
  }

  /**
   * Reads the files anew, for a reload; the change comes with the function that it gives, which tells whether etcd has to
   * be started again for it. @throws AppError `config`.
   */
  prepare(next: AgentConfig): () => boolean {
    const read = this.#read(next);
    return () => {
      const before = this.#current;
      this.#current = read;
      if (this.#saved) this.save();
      const fixed = ({ certificate: { tls }, serverName }: Read) =>
        [serverName, tls.minVersion, ...tls.cipherSuites, ...tls.ca].join('\n');
      return fixed(before) !== fixed(read);
    };
  }

  #read(config: AgentConfig): Read {
    const settings = config.tls.internalRpc;
    const certificate = readServerCertificate(settings, this.#deps.files);
    const serverName = rpcServerName(config);
    checkMemberCertificate(certificate, settings, { address: this.#at.address, serverName });
    return { certificate, serverName };
  }

  #file(name: string): string {
    return resolve(join(this.#at.folder, name));
  }
}
