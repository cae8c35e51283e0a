import { createPublicKey } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SystemRandom } from '../../../core/random.ts';
import { createRoot, type Issuer, issueLeaf } from '../../../core/x509/certificates.ts';
import { generateKeyPem, newSerial, readPrivateKey, signingKeys } from '../../../core/x509/keys.ts';

const DAY_MS = 24 * 3600 * 1000;
const random = new SystemRandom();

/** A certificate with its key, in PEM. */
export interface Pair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** What a certificate is to be like. */
export interface Issue {
  /** Since yesterday. */
  readonly expired?: boolean;
  /** Default: ten days ago. */
  readonly notBeforeMs?: number;
  /** Default: a day from now. */
  readonly notAfterMs?: number;
  readonly dns?: string;
  readonly ip?: string;
}

/** An authority of a test's own. */
export class TestAuthority {
  readonly #issuer: Issuer;

  private constructor(issuer: Issuer) {
    this.#issuer = issuer;
  }

  static async make(name: string): Promise<TestAuthority> {
    const keys = await signingKeys(await generateKeyPem({ type: 'ec', bits: 256 }));
    const now = Date.now();
    const certificate = await createRoot({
      keys,
      commonName: name,
      names: {},
      serial: newSerial(random),
      notBeforeMs: now - 30 * DAY_MS,
      notAfterMs: now + DAY_MS,
    });
    return new TestAuthority({ certificate, keys });
  }

  get ca(): Buffer {
    return Buffer.from(this.#issuer.certificate);
  }

  /** For 127.0.0.1 as server and client, unless told otherwise. */
  async issue(options: Issue = {}): Promise<Pair> {
    const key = await generateKeyPem({ type: 'ec', bits: 256 });
    const now = Date.now();
    const cert = await issueLeaf({
      issuer: this.#issuer,
      publicKey: publicKeyOf(key),
      commonName: 'etcd',
      names: options.dns ? { dns: [options.dns] } : { ips: [options.ip ?? '127.0.0.1'] },
      serial: newSerial(random),
      usages: ['server', 'client'],
      notBeforeMs: options.notBeforeMs ?? now - 10 * DAY_MS,
      notAfterMs: options.expired ? now - DAY_MS : (options.notAfterMs ?? now + DAY_MS),
    });
    return { cert: Buffer.from(cert), key: Buffer.from(key) };
  }
}

/** Writes a pair and its authority as files; etcd's arguments for them. Clients must show a certificate of `clientCa`. */
export function etcdTlsArgs(folder: string, pair: Pair, clientCa: Buffer): string[] {
  const file = (name: string, content: Buffer): string => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
  return [
    ...['--cert-file', file('server.pem', pair.cert), '--key-file', file('server-key.pem', pair.key)],
    ...['--client-cert-auth', '--trusted-ca-file', file('client-ca.pem', clientCa)],
  ];
}

function publicKeyOf(keyPem: string): Buffer {
  return createPublicKey(readPrivateKey(keyPem)).export({ type: 'spki', format: 'der' });
}
