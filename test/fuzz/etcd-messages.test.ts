import { AppError } from '../../core/errors.ts';
import { SeededRandom } from '../../core/random.ts';
import { decodeHead, decodeRoot, encodeHead, entryRevisions } from '../../store/etcd/layout.ts';
import { decodeAlarms, decodeRange, decodeStatus, decodeTxn, decodeWatch } from '../../store/etcd/messages.ts';
import { ProtoWriter } from '../../store/etcd/protobuf.ts';

/**
 * Mutated messages of etcd, and values below its prefix. The law: a value, or an AppError that says where; never another
 * error. FUZZ_RUNS sets how many, FUZZ_SEED which.
 */
const RUNS = Number(process.env.FUZZ_RUNS ?? 20_000);
const SEED = Number(process.env.FUZZ_SEED ?? 1);

function message(write: (out: ProtoWriter) => void): Buffer {
  const out = new ProtoWriter(8);
  write(out);
  return out.finish();
}

function keyValue(out: ProtoWriter, key: string, modRevision: number, value: string): void {
  out.text(1, key);
  out.uint(2, modRevision - 1);
  out.uint(3, modRevision);
  out.uint(4, 1);
  out.text(5, value);
}

const header = (out: ProtoWriter): void =>
  out.nested(1, () => {
    out.uint(1, 2 ** 52 + 1);
    out.uint(3, 2 ** 40);
    out.uint(4, 7);
  });

const RANGE = message((out) => {
  header(out);
  out.nested(2, () => keyValue(out, 'lictor/root', 12, 'x'.repeat(300)));
  out.nested(2, () => keyValue(out, 'lictor/ä', 13, ''));
  out.bool(3, true);
  out.uint(4, 2);
});
const TXN = message((out) => {
  header(out);
  out.bool(2, true);
  out.nested(3, () => out.nested(2, () => header(out)));
  out.nested(3, () => out.bytes(1, RANGE));
});
const WATCH = message((out) => {
  header(out);
  out.bool(3, true);
  out.uint(5, 9);
  out.text(6, 'because');
  out.nested(11, () => out.nested(2, () => keyValue(out, 'a', 5, 'value')));
  out.nested(11, () => {
    out.uint(1, 1);
    out.nested(2, () => keyValue(out, 'b', 5, ''));
  });
});
const STATUS = message((out) => {
  header(out);
  out.text(2, '3.7.3');
  out.uint(3, 20_480);
  out.uint(9, 16_384);
});
const ALARMS = message((out) => {
  header(out);
  out.nested(2, () => {
    out.uint64(1, 0xfedc_ba98_7654_3210n);
    out.uint(2, 1);
  });
});
const HEAD = encodeHead({
  id: 'i',
  revision: 7,
  base: 2,
  previous: 30,
  changes: [1, 4],
  content: { entries: 5, digest: '0123456789abcdef' },
  movedTo: 'g',
});
const ROOT = Buffer.from(JSON.stringify({ format: 1, storeId: 's', generation: 'g' }));
const KEY = Buffer.from('lictor/data/g/e/k');

const TARGETS: readonly (readonly [string, Buffer, (bytes: Buffer) => unknown])[] = [
  ['range', RANGE, decodeRange],
  ['transaction', TXN, decodeTxn],
  ['watch', WATCH, decodeWatch],
  ['status', STATUS, decodeStatus],
  ['alarms', ALARMS, decodeAlarms],
  ['head', HEAD, (bytes) => decodeHead(KEY, bytes)],
  ['root', ROOT, (bytes) => decodeRoot(KEY, bytes)],
  [
    'entry',
    Buffer.from('000000000001000000000002ffff', 'hex'),
    (bytes) => entryRevisions(KEY, bytes, { base: 1, revision: 9 }),
  ],
];

function mutate(bytes: Buffer, random: SeededRandom): Buffer {
  const below = (n: number): number => Math.floor(random.next() * n);
  let mutated = Buffer.from(bytes);
  for (let rounds = 1 + below(4); rounds > 0; rounds--) {
    const at = below(Math.max(1, mutated.length));
    const kind = below(5);
    if (kind === 0) mutated[at]! ^= 1 << below(8);
    else if (kind === 1) mutated = mutated.subarray(0, at);
    else if (kind === 2)
      mutated = Buffer.concat([mutated.subarray(0, at), Buffer.from([below(256)]), mutated.subarray(at)]);
    else if (kind === 3) mutated = Buffer.concat([mutated, bytes.subarray(below(bytes.length))]);
    else mutated.fill(0xff, at, Math.min(mutated.length, at + 1 + below(10)));
  }
  return mutated;
}

describe('messages of etcd', () => {
  it('are read as they were written, also large numbers and lengths of several bytes', () => {
    expect(decodeRange(RANGE)).toMatchObject({
      header: { clusterId: 2 ** 52 + 1, memberId: expect.any(Number), revision: 2 ** 40 },
      kvs: [{ modRevision: 12 }, { modRevision: 13 }],
      more: true,
    });
    expect(decodeRange(RANGE).kvs.map(({ key, value }) => [key.toString(), value.length])).toEqual([
      ['lictor/root', 300],
      ['lictor/ä', 0],
    ]);
    expect(decodeTxn(TXN)).toMatchObject({ succeeded: true, ranges: [{ more: true }] });
    expect(decodeWatch(WATCH)).toMatchObject({
      created: true,
      canceled: false,
      compactRevision: 9,
      cancelReason: 'because',
      events: [{ deleted: false }, { deleted: true, kv: { modRevision: 5 } }],
    });
    expect(decodeAlarms(ALARMS).alarms).toEqual([{ memberId: 0xfedc_ba98_7654_3210n, type: 1 }]);
    expect(decodeStatus(STATUS)).toMatchObject({ version: '3.7.3', dbSize: 20_480, dbSizeInUse: 16_384 });
  });

  it('of a head the sum is optional, as earlier versions do not give it, but not of another shape', () => {
    const head = { id: 'i', revision: 7, base: 2, previous: 30, changes: [1, 4] };
    const decoded = (content: unknown): unknown => decodeHead(KEY, Buffer.from(JSON.stringify({ ...head, content })));
    expect(decodeHead(KEY, HEAD)).toMatchObject({ content: { entries: 5, digest: '0123456789abcdef' } });
    expect(decoded(undefined)).toEqual(head);
    for (const content of [
      null,
      7,
      {},
      { entries: 5 },
      { entries: -1, digest: '0123456789abcdef' },
      { entries: 1.5, digest: '0123456789abcdef' },
      { entries: 5, digest: '0123456789ABCDEF' },
      { entries: 5, digest: '0123456789abcde' },
      { entries: 5, digest: 12345 },
    ]) {
      expect(() => decoded(content)).toThrow(/does not hold what this store writes there/);
    }
  });

  it.each(TARGETS)('%s: whatever the bytes are, a value or a clear error', (_, bytes, decode) => {
    const random = new SeededRandom(SEED);
    let refused = 0;
    for (let run = 0; run < RUNS; run++) {
      const mutated = mutate(bytes, random);
      try {
        decode(mutated);
      } catch (error) {
        if (!(error instanceof AppError))
          throw new Error(`${mutated.toString('hex')} ended with ${error}`, { cause: error });
        expect(['decode', 'storeCorrupt', 'storeVersion']).toContain(error.code);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(0);
  });
});
