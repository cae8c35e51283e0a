import { etcdError } from '../../../store/etcd/etcd-error.ts';
import type {
  EtcdEvent,
  EtcdKeyValue,
  EtcdOp,
  EtcdRange,
  RangeRequest,
  RangeResponse,
  ResponseHeader,
  TxnRequest,
  TxnResponse,
} from '../../../store/etcd/messages.ts';

/** What a key had from a revision on; undefined: it was deleted. */
interface Version {
  readonly revision: number;
  readonly value: Buffer | undefined;
}

/** One byte is one character, so that texts are ordered as bytes are. */
const textOf = (key: Uint8Array): string => Buffer.from(key).toString('latin1');
const keyOf = (text: string): Buffer => Buffer.from(text, 'latin1');

/** What the engine uses of etcd's keys, as one member without faults has it: every revision of them, in this process. */
export class FakeEtcd {
  #revision = 1;
  #oldest = 0;
  readonly #keys = new Map<string, Version[]>();
  /** The changes of each revision from 2 on. */
  readonly #changes: EtcdEvent[][] = [];
  #waiting: (() => void)[] = [];

  get revision(): number {
    return this.#revision;
  }

  /** The oldest revision that it can still tell of; 0 for all. */
  get oldest(): number {
    return this.#oldest;
  }

  compact(revision: number): void {
    this.#oldest = Math.max(this.#oldest, revision);
  }

  get(key: Uint8Array): EtcdKeyValue | undefined {
    return this.range({ key }).kvs[0];
  }

  range({ key, end, limit, revision, keysOnly }: RangeRequest): RangeResponse {
    const at = revision || this.#revision;
    if (at < this.#oldest) throw etcdError({ code: 11, details: 'required revision has been compacted' }, 'etcd');
    const all = this.#within({ key, ...(end ? { end } : {}) }, at);
    const kvs = (limit ? all.slice(0, limit) : all).map((kv) => (keysOnly ? { ...kv, value: Buffer.alloc(0) } : kv));
    return { header: this.#header(), kvs, more: kvs.length < all.length };
  }

  txn({ compares, success, failure }: TxnRequest): TxnResponse {
    const succeeded = compares.every(({ key, modRevision }) => (this.get(key)?.modRevision ?? 0) === modRevision);
    const ops = succeeded ? success : failure;
    const changes = ops.flatMap((op) => this.#changesOf(op));
    if (changes.length > 0) this.#write(changes);
    const ranges = ops.flatMap((op) => (op.kind === 'range' ? [this.range(op)] : []));
    return { header: this.#header(), succeeded, ranges };
  }

  /** What has changed in a range from a revision on, and the revision to go on from. Some revisions at a time. */
  changesFrom(from: number, range: Required<EtcdRange>, revisions: number): { events: EtcdEvent[]; next: number } {
    const next = Math.min(from + revisions, this.#revision + 1);
    const [first, last] = [textOf(range.key), textOf(range.end)];
    const events = this.#changes.slice(from - 2, next - 2).flat();
    return { events: events.filter(({ kv }) => textOf(kv.key) >= first && textOf(kv.key) < last), next };
  }

  /** Resolves with the next write. */
  written(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #header(): ResponseHeader {
    return { clusterId: 1, memberId: 1, revision: this.#revision };
  }

  #within({ key, end }: EtcdRange, at: number): EtcdKeyValue[] {
    const first = textOf(key);
    const last = end && textOf(end);
    const found = last === undefined ? [first] : [...this.#keys.keys()].filter((text) => text >= first && text < last);
    return found.sort().flatMap((text) => {
      const version = this.#keys.get(text)?.findLast(({ revision }) => revision <= at);
      return version?.value ? [{ key: keyOf(text), value: version.value, modRevision: version.revision }] : [];
    });
  }

  #changesOf(op: EtcdOp): EtcdEvent[] {
    const modRevision = this.#revision + 1;
    if (op.kind === 'put') {
      return [{ deleted: false, kv: { key: Buffer.from(op.key), value: Buffer.concat(op.value), modRevision } }];
    }
    if (op.kind === 'range') return [];
    if (op.kind === 'all') return op.ops.flatMap((one) => this.#changesOf(one));
    return this.#within(op, this.#revision).map(({ key }) => ({
      deleted: true,
      kv: { key, value: Buffer.alloc(0), modRevision },
    }));
  }

  #write(changes: EtcdEvent[]): void {
    this.#revision++;
    this.#changes.push(changes);
    for (const { deleted, kv } of changes) {
      const versions = this.#keys.get(textOf(kv.key)) ?? [];
      if (versions.at(-1)?.revision === this.#revision) throw new Error(`${kv.key} is there twice in a transaction`);
      versions.push({ revision: this.#revision, value: deleted ? undefined : kv.value });
      this.#keys.set(textOf(kv.key), versions);
    }
    for (const resume of this.#waiting.splice(0)) resume();
  }
}
