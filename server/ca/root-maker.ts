import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { Random } from '../../core/random.ts';
import type { Issuer } from '../../core/x509/certificates.ts';
import { colonHex, generateKeyPem, keyKindOf, newSerial, readPrivateKey, signingKeys } from '../../core/x509/keys.ts';
import { belongsTo, readCertificate } from '../../core/x509/reading.ts';
import type { CaSettings } from './ca-config.ts';
import type { RootRecord } from './ca-table.ts';

/** A root and its private key, not stored yet. */
export interface MadeRoot {
  readonly root: RootRecord;
  readonly keyPem: string;
}

/** Consul's name of it. */
const NAME = 'Consul CA Primary Cert';
/** Machines whose clocks are behind by this accept a new certificate at once. */
export const CLOCK_SKEW_MS = 60_000;

/** What makes certificates is read when one is made: it takes more memory than the rest of the authority. */
function certificates(): Promise<typeof import('../../core/x509/certificates.ts')> {
  return import('../../core/x509/certificates.ts');
}

/** Makes roots from settings: the keys and certificates that were given, or new ones. */
export class RootMaker {
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(deps: { clock: Clock; random: Random }) {
    this.#clock = deps.clock;
    this.#random = deps.random;
  }

  /** @throws AppError `badRequest` for keys and certificates that do not fit. */
  async make(settings: CaSettings, clusterId: string): Promise<MadeRoot> {
    const keyPem = settings.privateKey || (await generateKeyPem(settings.key ?? { type: 'ec', bits: 256 }));
    const kind = keyKindOf(readPrivateKey(keyPem));
    const pem = settings.rootCert ? this.#given(settings) : await this.#signed(keyPem, settings.rootTtlMs, clusterId);
    const facts = readCertificate(pem);
    // The shape has a number; a longer serial is shown by its last digits.
    const serial = Number(BigInt(`0x${facts.serial}`) & 0xf_ffff_ffff_ffffn);
    const { fingerprint: id, notBeforeMs, notAfterMs } = facts;
    const keyId = colonHex(facts.keyId);
    return {
      keyPem,
      root: { id, name: NAME, serial, keyId, pem, intermediates: [], key: kind, notBeforeMs, notAfterMs },
    };
  }

  /** The new root with the old one's word for it. */
  async crossSigned(made: MadeRoot, old: RootRecord, oldKeyPem: string): Promise<MadeRoot> {
    const { crossSign } = await certificates();
    const issuer: Issuer = { certificate: old.pem, keys: await signingKeys(oldKeyPem) };
    const intermediate = await crossSign(made.root.pem, issuer, {
      serial: newSerial(this.#random),
      notBeforeMs: this.#clock.now() - CLOCK_SKEW_MS,
      notAfterMs: Math.min(made.root.notAfterMs, old.notAfterMs),
    });
    return { ...made, root: { ...made.root, intermediates: [intermediate] } };
  }

  async #signed(keyPem: string, ttlMs: number, clusterId: string): Promise<string> {
    const { createRoot } = await certificates();
    const now = this.#clock.now();
    return createRoot({
      keys: await signingKeys(keyPem),
      commonName: `pri-${this.#random.uuid().slice(0, 8)}.consul.ca.${clusterId.slice(0, 8)}.consul`,
      names: { uris: [`spiffe://${clusterId}.consul`] },
      // 52 bits: shown as a number.
      serial: newSerial(this.#random).slice(0, 12),
      notBeforeMs: now - CLOCK_SKEW_MS,
      notAfterMs: now + ttlMs,
    });
  }

  #given({ rootCert, privateKey }: CaSettings): string {
    const pem = `${rootCert.trim()}\n`;
    let facts: ReturnType<typeof readCertificate>;
    try {
      facts = readCertificate(pem);
    } catch {
      throw new AppError('badRequest', 'error configuring provider: RootCert must be one X.509 certificate in PEM');
    }
    const wrong = !facts.ca
      ? 'is not the certificate of an authority (CA:TRUE)'
      : !belongsTo(readPrivateKey(privateKey), facts)
        ? 'is not the certificate of PrivateKey'
        : facts.notAfterMs <= this.#clock.now()
          ? 'has expired'
          : undefined;
    if (wrong) throw new AppError('badRequest', `error configuring provider: RootCert ${wrong}`);
    return pem;
  }
}
