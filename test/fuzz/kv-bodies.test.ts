import fc from 'fast-check';
import { decodeSession } from '../../api/shapes/session.ts';
import { decodeTxn } from '../../api/shapes/txn.ts';
import { AppError } from '../../core/errors.ts';
import { decodeKv, encodeKv } from '../../server/kv/kv-record.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 500);

const TXN = [
  { KV: { Verb: 'set', Key: 'k', Value: 'YQ==', Flags: 7, Index: 0, Session: '' } },
  { Node: { Verb: 'cas', Node: { Node: 'n', Address: '10.0.0.1', Meta: { a: 'b' }, ModifyIndex: 1 } } },
  { Service: { Verb: 'set', Node: 'n', Service: { ID: 's', Service: 's', Port: 1, Tags: ['t'] } } },
  { Check: { Verb: 'set', Check: { Node: 'n', CheckID: 'c', Status: 'passing', Definition: { Interval: '10s' } } } },
  { Session: { Verb: 'delete', Session: { ID: 'x' } } },
];
const SESSION = { Name: 'n', TTL: '10s', LockDelay: '5s', NodeChecks: ['serfHealth'], ServiceChecks: [{ ID: 'c' }] };

/** A valid body with some bytes changed, or any JSON value at all. */
function body(valid: unknown): fc.Arbitrary<Buffer> {
  const text = Buffer.from(JSON.stringify(valid));
  const change = fc.record({ at: fc.nat({ max: text.length - 1 }), byte: fc.integer({ min: 0, max: 255 }) });
  return fc.oneof(
    fc.array(change, { maxLength: 4 }).map((changes) => {
      const out = Buffer.from(text);
      for (const { at, byte } of changes) out[at] = byte;
      return out;
    }),
    fc.nat({ max: text.length }).map((end) => text.subarray(0, end)),
    fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value))),
    fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
  );
}

function decodesOrRefuses(decode: () => unknown): void {
  try {
    decode();
  } catch (error) {
    if (!(error instanceof AppError) || error.code === 'internal') throw error;
  }
}

describe('bodies of keys, sessions and transactions', () => {
  it('are read or refused by name', () => {
    fc.assert(
      fc.property(body(TXN), (bytes) => decodesOrRefuses(() => decodeTxn(bytes))),
      { numRuns: RUNS },
    );
    fc.assert(
      fc.property(body(SESSION), (bytes) => decodesOrRefuses(() => decodeSession(bytes, { node: 'n' }))),
      { numRuns: RUNS },
    );
  });

  it('take numbers of 64 bits to the last digit', () => {
    const [op] = decodeTxn(Buffer.from('[{"KV":{"Verb":"set","Key":"k","Flags":18446744073709551615}}]'));
    expect(op).toMatchObject({ kind: 'KV', flags: 18446744073709551615n });
    const tooLarge = Buffer.from('[{"KV":{"Verb":"set","Key":"k","Flags":18446744073709551616}}]');
    expect(() => decodeTxn(tooLarge)).toThrow('KV.Flags');
  });

  it('come back from the store as they were, and damaged ones are refused', () => {
    const content = fc.record({
      flags: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      lockIndex: fc.nat(),
      session: fc.oneof(fc.constant(''), fc.uuid()),
      value: fc.uint8Array({ maxLength: 100 }),
    });
    const entry = (value: Uint8Array) => ({ key: 'k', value, createRevision: 1, modRevision: 2 });
    fc.assert(
      fc.property(content, (given) => {
        const read = decodeKv('default/k', entry(encodeKv(given)), 1);
        expect(read).toMatchObject({ flags: given.flags, lockIndex: given.lockIndex, session: given.session });
        expect(Buffer.compare(read.value, given.value)).toBe(0);
      }),
      { numRuns: RUNS },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) =>
        decodesOrRefuses(() => decodeKv('default/k', entry(bytes), 1)),
      ),
      { numRuns: RUNS },
    );
  });
});
