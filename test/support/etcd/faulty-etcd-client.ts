import type { Clock } from '../../../core/clock.ts';
import type { Random } from '../../../core/random.ts';
import type { EtcdClient, WatchListener, WatchStream } from '../../../store/etcd/etcd-client.ts';
import { type EtcdError, etcdError } from '../../../store/etcd/etcd-error.ts';
import type {
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
  WatchCreate,
  WatchResponse,
} from '../../../store/etcd/messages.ts';
import type { FakeEtcd } from './fake-etcd.ts';

/** What becomes of a transaction, and of how many that is so; the others are answered. */
const TXN_FAULTS = {
  /** It never arrives. */
  lost: 0.04,
  /** It takes effect, of which no answer tells. */
  unanswered: 0.06,
  /** It takes effect around the time at which its sender gives up, or up to three seconds later. */
  late: 0.04,
  neverSent: 0.03,
  /** It takes effect, and yet is answered with NOSPACE. */
  crossing: 0.02,
  full: 0.01,
  /** It is answered after a part of the time that it has. */
  slow: 0.08,
};
type TxnFault = keyof typeof TXN_FAULTS;

/** Of the pauses of a watch: it is late by up to this, brings nothing more, or ends. */
const WATCH_LATE = 0.03;
const WATCH_LATE_MS = 4000;
const WATCH_STARVED = 0.003;
const WATCH_LOST = 0.01;
const WRITE_MS = 7000;

const CUT_OFF = (): EtcdError => etcdError({ code: 14, details: 'ECONNRESET' }, 'etcd');
const LATE = (): EtcdError => etcdError({ code: 4, details: 'Deadline exceeded' }, 'etcd');
const NEVER_SENT = (): EtcdError => etcdError({ code: 14, details: 'No connection established' }, 'etcd');
const FULL = (): EtcdError => etcdError({ code: 8, details: 'mvcc: database space exceeded' }, 'etcd');
const NO_LEADER = (): EtcdError => etcdError({ code: 14, details: 'etcdserver: no leader' }, 'etcd');

export interface FaultyEtcdClientDeps {
  readonly etcd: FakeEtcd;
  readonly clock: Clock;
  readonly random: Pick<Random, 'next'>;
  /** Whether anything goes wrong at the moment. */
  readonly faulty: () => boolean;
}

/** One process's way to a fake etcd, on which what is sent is late, lost, refused, or not answered. */
export class FaultyEtcdClient implements Pick<EtcdClient, 'range' | 'txn' | 'watch' | 'moveOn'> {
  readonly #deps: FaultyEtcdClientDeps;

  constructor(deps: FaultyEtcdClientDeps) {
    this.#deps = deps;
  }

  async range(request: RangeRequest): Promise<RangeResponse> {
    const { etcd } = this.#deps;
    await this.#way();
    // The client asks again by itself for a while.
    while (this.#happens(0.05)) await this.#deps.clock.sleep(500);
    if (this.#happens(0.01)) throw NO_LEADER();
    const response = etcd.range(request);
    await this.#way();
    return response;
  }

  async txn(request: TxnRequest, ms = WRITE_MS): Promise<TxnResponse> {
    const { etcd, clock, random } = this.#deps;
    await this.#way();
    const fault = this.#fault();
    if (fault === 'neverSent') throw NEVER_SENT();
    if (fault === 'full') throw FULL();
    if (fault === 'lost') {
      await clock.sleep(ms);
      throw LATE();
    }
    if (fault === 'late') {
      clock.after(ms + random.next() * 3000 - 500, () => etcd.txn(request));
      await clock.sleep(ms);
      throw LATE();
    }
    const response = etcd.txn(request);
    if (fault === 'crossing') throw FULL();
    if (fault === 'unanswered') {
      const cutOff = random.next() < 0.5;
      await clock.sleep(cutOff ? 5 : ms);
      throw cutOff ? CUT_OFF() : LATE();
    }
    await (fault === 'slow' ? clock.sleep(random.next() * (ms - 100)) : this.#way());
    return response;
  }

  watch(request: WatchCreate, listener: WatchListener): WatchStream {
    const watch = new FakeWatch(this.#deps, request, listener);
    void watch.run();
    const cancel = (): void => watch.cancel();
    return { endpoint: 'etcd', probe: () => watch.say({}), cancel, giveUp: cancel };
  }

  moveOn(): void {}

  #fault(): TxnFault | undefined {
    if (!this.#deps.faulty()) return undefined;
    let at = this.#deps.random.next();
    for (const [fault, part] of Object.entries(TXN_FAULTS)) {
      at -= part;
      if (at < 0) return fault as TxnFault;
    }
    return undefined;
  }

  #happens(part: number): boolean {
    return this.#deps.faulty() && this.#deps.random.next() < part;
  }

  #way(): Promise<void> {
    return this.#deps.clock.sleep(1 + this.#deps.random.next() * 4);
  }
}

/** A watch that brings some revisions at a time, now and then in two parts, now and then late; or no more. */
class FakeWatch {
  readonly #deps: FaultyEtcdClientDeps;
  readonly #request: WatchCreate;
  readonly #listener: WatchListener;
  #over = false;

  constructor(deps: FaultyEtcdClientDeps, request: WatchCreate, listener: WatchListener) {
    this.#deps = deps;
    this.#request = request;
    this.#listener = listener;
  }

  cancel(): void {
    this.#over = true;
  }

  say(response: Partial<WatchResponse>): void {
    if (this.#over) return;
    const header = { clusterId: 1, memberId: 1, revision: this.#deps.etcd.revision };
    const empty = { created: false, canceled: false, compactRevision: 0, cancelReason: '', events: [] };
    this.#listener.response({ header, ...empty, ...response });
  }

  async run(): Promise<void> {
    const { etcd, clock, random } = this.#deps;
    const { key, end, startRevision } = this.#request;
    let from = startRevision;
    while (!this.#over) {
      await clock.sleep(this.#happens(WATCH_LATE) ? random.next() * WATCH_LATE_MS : 1 + random.next() * 10);
      if (this.#over || this.#happens(WATCH_STARVED)) return;
      if (this.#happens(WATCH_LOST)) return this.#lose();
      if (from < etcd.oldest) {
        this.say({ canceled: true, compactRevision: etcd.oldest });
        return this.cancel();
      }
      if (from > etcd.revision) {
        await etcd.written();
        continue;
      }
      const { events, next } = etcd.changesFrom(from, { key, end: end! }, 1 + Math.floor(random.next() * 5));
      from = next;
      const cut = random.next() < 0.2 ? Math.floor(random.next() * events.length) : 0;
      if (cut > 0) {
        this.say({ events: events.slice(0, cut) });
        await clock.sleep(random.next() * 5);
      }
      if (events.length > 0) this.say({ events: events.slice(cut) });
    }
  }

  #lose(): void {
    this.cancel();
    this.#listener.lost(CUT_OFF());
  }

  #happens(part: number): boolean {
    return this.#deps.faulty() && this.#deps.random.next() < part;
  }
}
