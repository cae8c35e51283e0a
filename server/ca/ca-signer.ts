import { certificateTime, type IssuedCertificate } from '../../api/shapes/connect.ts';
import { parseSpiffeUri, type SpiffeId } from '../../api/shapes/spiffe.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { CounterMetric, Metrics } from '../../core/metrics.ts';
import type { Random } from '../../core/random.ts';
import { colonHex, newSerial, type SigningKeys, signingKeys } from '../../core/x509/keys.ts';
import { readCertificate } from '../../core/x509/reading.ts';
import type { CaTable, RootRecord } from './ca-table.ts';
import { caNotReady } from './ca-writer.ts';
import { CLOCK_SKEW_MS } from './root-maker.ts';
import { rootProblem } from './root-validity.ts';
import { SigningLimit } from './signing-limit.ts';

export interface CaSignerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly state: { readonly applied: number; assertLoaded(): void };
  readonly table: CaTable;
}

/** Signs requests of this cluster's own identities with the active root, at a bounded rate. */
export class CaSigner {
  readonly #deps: CaSignerDeps;
  readonly #datacenter: string;
  readonly #limit: SigningLimit;
  readonly #signed: CounterMetric;
  /** The active root's key as it is used: reading it is half of the work. */
  #keys: { readonly rootId: string; readonly keys: Promise<SigningKeys> } | undefined;

  constructor(deps: CaSignerDeps, options: { datacenter: string }) {
    this.#deps = deps;
    this.#datacenter = options.datacenter.toLowerCase();
    this.#limit = new SigningLimit(deps);
    this.#signed = deps.metrics.counter({
      name: 'lictor_ca_signed_total',
      help: 'Certificate requests by outcome: signed, refused',
      labels: ['outcome'],
    });
  }

  /** @throws AppError `badRequest` naming what is wrong with the request, `rateLimited`, `notSynced`. */
  async sign(csr: string): Promise<IssuedCertificate> {
    const { state, table } = this.#deps;
    state.assertLoaded();
    const { settings } = table;
    try {
      const answer = await this.#limit.run(settings, () => this.#issue(csr, settings.leafTtlMs));
      this.#signed.add(1, { outcome: 'signed' });
      return answer;
    } catch (error) {
      this.#signed.add(1, { outcome: 'refused' });
      throw error;
    }
  }

  async #keysOf(rootId: string, pem: string): Promise<SigningKeys> {
    if (this.#keys?.rootId !== rootId) this.#keys = { rootId, keys: signingKeys(pem) };
    try {
      return await this.#keys.keys;
    } catch (error) {
      this.#keys = undefined;
      throw error;
    }
  }

  async #issue(csr: string, ttlMs: number): Promise<IssuedCertificate> {
    const { table, clock, random, state } = this.#deps;
    const [{ readSigningRequest }, { issueLeaf }] = await Promise.all([
      import('../../core/x509/signing-request.ts'),
      import('../../core/x509/certificates.ts'),
    ]);
    const { uri, publicKey } = await readSigningRequest(csr);
    this.#checkIdentity(uri);
    const root = table.active;
    const key = root && table.key(root.id);
    if (!root || !key) {
      table.assertReadable();
      throw caNotReady();
    }
    if (root.notAfterMs <= clock.now()) throw this.#expired(root, ttlMs);
    const keys = await this.#keysOf(root.id, key.record.pem);
    const serial = newSerial(random);
    const now = clock.now();
    const notBeforeMs = wholeSecond(Math.max(now - CLOCK_SKEW_MS, root.notBeforeMs));
    // The root may have been made under a clock that was ahead of this one.
    const notAfterMs = wholeSecond(Math.min(Math.max(now, notBeforeMs) + ttlMs, root.notAfterMs));
    const pem = await issueLeaf({
      issuer: { certificate: root.pem, keys },
      publicKey,
      commonName: '',
      names: { uris: [uri] },
      serial,
      usages: ['client', 'server'],
      notBeforeMs,
      notAfterMs,
    });
    return {
      SerialNumber: colonHex(serial),
      // What an old root said counts until its own end.
      CertPEM: [pem, ...root.intermediates.filter((one) => readCertificate(one).notAfterMs > now)].join(''),
      URI: uri,
      ValidAfter: certificateTime(notBeforeMs),
      ValidBefore: certificateTime(notAfterMs),
      RootID: root.id,
      Index: state.applied,
    };
  }

  #checkIdentity(uri: string): void {
    const parsed = parseSpiffeUri(uri);
    if (!parsed)
      throw refused(
        'names no identity of the mesh: want for example spiffe://<trust domain>/ns/default/dc/dc1/svc/web',
      );
    const { trustDomain } = this.#deps.table;
    if (parsed.trustDomain !== trustDomain) {
      throw refused(
        `is for the trust domain ${JSON.stringify(parsed.trustDomain)}, this authority vouches for ${trustDomain}`,
      );
    }
    this.#checkDatacenter(parsed.id);
  }

  #expired(root: RootRecord, leafTtlMs: number): AppError {
    const { table, clock } = this.#deps;
    return new AppError('unavailable', rootProblem(root, { leafTtlMs, given: table.rootGiven }, clock.now()) ?? '');
  }

  #checkDatacenter({ datacenter }: SpiffeId): void {
    if (datacenter.toLowerCase() === this.#datacenter) return;
    throw refused(`is for the datacenter ${JSON.stringify(datacenter)}, this authority is that of ${this.#datacenter}`);
  }
}

function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}

function refused(what: string): AppError {
  return new AppError('badRequest', `the certificate request ${what}`, { facts: { field: 'CSR' } });
}
