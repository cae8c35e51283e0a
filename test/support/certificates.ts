import { createPublicKey } from 'node:crypto';
import { SystemClock } from '../../core/clock.ts';
import { SystemRandom } from '../../core/random.ts';
import { createRoot, type Issuer, issueLeaf } from '../../core/x509/certificates.ts';
import { generateKeyPem, newSerial, signingKeys } from '../../core/x509/keys.ts';

const DAY_MS = 86_400_000;

/** A certificate and its key, in PEM. */
export interface IssuedCertificate {
  readonly cert: string;
  readonly key: string;
}

/** A private authority that signs certificates for tests. */
export class TestAuthority {
  /** Its own certificate in PEM. */
  readonly pem: string;
  readonly #issuer: Issuer;

  private constructor(issuer: Issuer) {
    this.pem = issuer.certificate;
    this.#issuer = issuer;
  }

  static async create(commonName = 'test authority'): Promise<TestAuthority> {
    const keys = await signingKeys(await generateKeyPem({ type: 'ec', bits: 256 }));
    const now = new SystemClock().now();
    const certificate = await createRoot({
      keys,
      commonName,
      names: {},
      serial: newSerial(new SystemRandom()),
      notBeforeMs: now - 10 * DAY_MS,
      notAfterMs: now + 10 * DAY_MS,
    });
    return new TestAuthority({ certificate, keys });
  }

  /** For localhost and 127.0.0.1 unless told otherwise; counts for ten days, or ended a day ago. */
  async issue(
    options: { name?: string; usages?: ('server' | 'client')[]; expired?: boolean; days?: number } = {},
  ): Promise<IssuedCertificate> {
    const key = await generateKeyPem({ type: 'ec', bits: 256 });
    const now = new SystemClock().now();
    const name = options.name ?? 'localhost';
    const cert = await issueLeaf({
      issuer: this.#issuer,
      publicKey: createPublicKey(key).export({ type: 'spki', format: 'der' }),
      commonName: name,
      names: { dns: [name], ips: name === 'localhost' ? ['127.0.0.1'] : [] },
      serial: newSerial(new SystemRandom()),
      usages: options.usages ?? ['server', 'client'],
      notBeforeMs: now - 9 * DAY_MS,
      notAfterMs: options.expired ? now - DAY_MS : now + (options.days ?? 9) * DAY_MS,
    });
    return { cert, key };
  }
}
