import type { LeafCertificate } from '../../api/shapes/connect.ts';
import { type SpiffeId, spiffeUri } from '../../api/shapes/spiffe.ts';
import { Backoff } from '../../core/backoff.ts';
import type { Clock, Timer } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import type { Random } from '../../core/random.ts';
import { generateKeyPem } from '../../core/x509/keys.ts';
import type { MeshAuthority } from './mesh-authority.ts';
import type { RootFollower } from './root-follower.ts';

export interface LeafCertificatesDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: Random;
  readonly authority: Pick<MeshAuthority, 'sign'>;
  readonly roots: Pick<RootFollower, 'get' | 'known' | 'onChange'>;
}

export interface LeafCertificatesOptions {
  /** Identities whose certificates are kept; more are refused while all of them are waited for. */
  readonly maxLeaves: number;
}

/**
 * A certificate that is kept, since when (monotonic, and by the wall clock), and how long it is good. Only spans of time
 * count: the servers' clocks may be hours apart from this one.
 */
export interface KeptLeaf {
  readonly leaf: LeafCertificate;
  readonly rootId: string;
  readonly atMs: number;
  readonly atWallMs: number;
  readonly renewAfterMs: number;
  readonly expiresAfterMs: number;
}

interface Entry {
  readonly key: string;
  readonly id: SpiffeId;
  readonly watchers: Set<() => void>;
  readonly backoff: Backoff;
  kept?: KeptLeaf;
  fetching?: Promise<void>;
  timer?: Timer;
  usedAtMs: number;
}

/** Consul's times: unused for three days, renewed after 60 to 90 % of its life, within 30 s of a new root. */
const UNUSED_MS = 72 * 3_600_000;
const RENEW_FROM = 0.6;
const RENEW_SPAN = 0.3;
const ROOT_SPREAD_MS = 30_000;
/** Near the end of a root certificates get short: they are not asked for without a pause. */
const MIN_KEPT_MS = 10_000;

/** The certificates of this agent's identities: made when first asked for, and renewed while they are used. */
export class LeafCertificates {
  readonly #deps: LeafCertificatesDeps;
  readonly #options: LeafCertificatesOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #unlisten: () => void;
  #closed = false;

  constructor(deps: LeafCertificatesDeps, options: LeafCertificatesOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#unlisten = deps.roots.onChange(() => this.#rootsChanged());
  }

  /** What is kept now; undefined for nothing. */
  peek(id: SpiffeId): KeptLeaf | undefined {
    return this.#entries.get(keyOf(id))?.kept;
  }

  /**
   * A certificate that counts and is of the present root; `hit` when it was there.
   * @throws AppError `badRequest` for a name that no certificate can hold, what the authority throws.
   */
  async get(id: SpiffeId): Promise<KeptLeaf & { readonly hit: boolean }> {
    const entry = this.#entry(id);
    entry.usedAtMs = this.#deps.clock.monotonic();
    if (entry.kept && this.#fresh(entry.kept)) return { ...entry.kept, hit: true };
    try {
      await this.#fetch(entry);
    } catch (error) {
      // The old one is good for a while yet: better than none.
      if (!entry.kept || this.#ageMs(entry.kept) >= entry.kept.expiresAfterMs) {
        if (!entry.kept) this.#drop(entry);
        throw error;
      }
      this.#schedule(entry, entry.backoff.next());
      return { ...entry.kept, hit: true };
    }
    return { ...entry.kept!, hit: false };
  }

  /** Calls back when another certificate takes the place of the present one. */
  watch(id: SpiffeId, wake: () => void): () => void {
    const entry = this.#entry(id);
    const call = () => wake();
    entry.watchers.add(call);
    return () => {
      entry.watchers.delete(call);
      entry.usedAtMs = this.#deps.clock.monotonic();
    };
  }

  close(): void {
    this.#closed = true;
    this.#unlisten();
    for (const entry of this.#entries.values()) entry.timer?.cancel();
  }

  #entry(id: SpiffeId): Entry {
    const key = keyOf(id);
    let entry = this.#entries.get(key);
    if (entry) {
      // The least recently used one stands first.
      this.#entries.delete(key);
    } else {
      this.#makeRoom();
      const backoff = new Backoff(this.#deps, { baseMs: 1_000, maxMs: 300_000, jitter: 0.5 });
      entry = { key, id, watchers: new Set(), backoff, usedAtMs: this.#deps.clock.monotonic() };
    }
    this.#entries.set(key, entry);
    return entry;
  }

  #makeRoom(): void {
    if (this.#entries.size < this.#options.maxLeaves) return;
    for (const entry of this.#entries.values()) {
      if (entry.watchers.size > 0 || entry.fetching !== undefined) continue;
      this.#drop(entry);
      return;
    }
    throw new AppError('rateLimited', `too many certificates at once (${this.#options.maxLeaves}); try again later`);
  }

  #drop(entry: Entry): void {
    entry.timer?.cancel();
    if (entry.watchers.size === 0 && this.#entries.get(entry.key) === entry) this.#entries.delete(entry.key);
  }

  #fresh(kept: KeptLeaf): boolean {
    const active = this.#deps.roots.known?.roots.ActiveRootID;
    return this.#untilRenewal(kept) > 0 && (active === undefined || active === kept.rootId);
  }

  #untilRenewal(kept: KeptLeaf): number {
    return kept.renewAfterMs - this.#ageMs(kept);
  }

  /** By whichever clock says that more has passed: the monotonic one stands still while the machine sleeps. */
  #ageMs({ atMs, atWallMs }: KeptLeaf): number {
    const { clock } = this.#deps;
    return Math.max(clock.monotonic() - atMs, clock.now() - atWallMs);
  }

  /** All who need it wait for one. */
  #fetch(entry: Entry): Promise<void> {
    entry.fetching ??= this.#fetchNow(entry).finally(() => {
      entry.fetching = undefined;
    });
    return entry.fetching;
  }

  async #fetchNow(entry: Entry): Promise<void> {
    const { authority, clock, random, roots } = this.#deps;
    const { TrustDomain } = (await roots.get()).roots;
    const uri = spiffeUri(TrustDomain, entry.id);
    // What makes requests is read with the first one: most agents never have one.
    const { createSigningRequest } = await import('../../core/x509/signing-request.ts');
    const keyPem = await generateKeyPem({ type: 'ec', bits: 256 });
    const issued = await authority.sign(await createSigningRequest(keyPem, uri));
    const index = Math.max(issued.Index, (entry.kept?.leaf.ModifyIndex ?? 0) + 1);
    const from = Date.parse(issued.ValidAfter);
    const until = Date.parse(issued.ValidBefore);
    entry.kept = {
      leaf: {
        SerialNumber: issued.SerialNumber,
        CertPEM: issued.CertPEM,
        PrivateKeyPEM: keyPem,
        Service: entry.id.kind === 'service' ? entry.id.service : '',
        ServiceURI: uri,
        ValidAfter: issued.ValidAfter,
        ValidBefore: issued.ValidBefore,
        CreateIndex: index,
        ModifyIndex: index,
      },
      rootId: issued.RootID,
      atMs: clock.monotonic(),
      atWallMs: clock.now(),
      renewAfterMs: Math.max(MIN_KEPT_MS, (until - from) * (RENEW_FROM + random.next() * RENEW_SPAN)),
      expiresAfterMs: until - from,
    };
    if (from > clock.now() || until <= clock.now()) this.#sayClocksDiffer(uri, issued);
    entry.backoff.reset();
    this.#schedule(entry, entry.kept.renewAfterMs);
    for (const wake of [...entry.watchers]) wake();
  }

  #sayClocksDiffer(uri: string, { ValidAfter, ValidBefore }: { ValidAfter: string; ValidBefore: string }): void {
    const text = 'a new certificate does not count by the clock of this machine: set it, or that of the servers (NTP)';
    const now = new Date(this.#deps.clock.now()).toISOString();
    this.#deps.log.warn(text, { uri, from: ValidAfter, until: ValidBefore, now });
  }

  #schedule(entry: Entry, ms: number): void {
    entry.timer?.cancel();
    if (!this.#closed) entry.timer = this.#deps.clock.after(ms, () => void this.#renew(entry));
  }

  async #renew(entry: Entry): Promise<void> {
    const { clock, log } = this.#deps;
    if (entry.watchers.size === 0 && clock.monotonic() - entry.usedAtMs > UNUSED_MS) {
      this.#drop(entry);
      return;
    }
    // A timer may be set for a root that is not the active one any more.
    if (entry.kept && this.#fresh(entry.kept)) {
      this.#schedule(entry, this.#untilRenewal(entry.kept));
      return;
    }
    try {
      await this.#fetch(entry);
    } catch (error) {
      log.warn('a certificate could not be renewed; tried again', { uri: entry.key, text: errorText(error) });
      this.#schedule(entry, entry.backoff.next());
    }
  }

  #rootsChanged(): void {
    const active = this.#deps.roots.known?.roots.ActiveRootID;
    for (const entry of this.#entries.values()) {
      if (!entry.kept || entry.kept.rootId === active) continue;
      this.#schedule(entry, this.#deps.random.next() * ROOT_SPREAD_MS);
    }
  }
}

function keyOf(id: SpiffeId): string {
  return JSON.stringify(Object.entries(id).sort(([a], [b]) => (a < b ? -1 : 1)));
}
