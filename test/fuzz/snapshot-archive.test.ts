import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { FakeClock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { TAR_END, tarHeader, tarPadding } from '../../core/tar.ts';
import { CatalogState } from '../../server/catalog/state.ts';
import { Topics } from '../../server/catalog/topics.ts';
import { encodeKv } from '../../server/kv/kv-record.ts';
import { KvTable } from '../../server/kv/kv-table.ts';
import { KvWatches } from '../../server/kv/kv-watches.ts';
import { readArchive, writeArchive } from '../../server/snapshot/archive.ts';
import { checkEntry } from '../../server/snapshot/check-entry.ts';
import { writeSnapshot } from '../../store/snapshot-format.ts';
import type { StoreEntry } from '../../store/store.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 200);

const entry = (key: string, value: unknown): StoreEntry => ({
  key,
  value: Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value)),
  createRevision: 1,
  modRevision: 2,
});
const kv = encodeKv({ flags: 7n, lockIndex: 1, session: 'abc', value: Buffer.from('v') });
const CONTENT = { ID: 'w', Service: 'web', Tags: [], Weights: { Passing: 1, Warning: 1 } };
const ENTRIES = [
  entry('check-definition/n/default/c', [{ serviceId: 'w', state: { status: 'passing' } }]),
  entry('check-state/n/default/c', { status: 'passing', output: 'ok' }),
  entry('instance/n/default/v', [{ content: { Service: 'web' } }]),
  entry('instance/n/default/w', { node: 'n', namespace: 'default', content: CONTENT }),
  entry('kv/default/a', kv),
  entry('node/n', { name: 'n', id: '', address: '10.0.0.1', taggedAddresses: null, meta: null, implicit: false }),
];
const META = { Version: 1, ID: '1-9-1', Index: 9, Term: 1, Lictor: { Format: 1, Datacenter: 'dc1' } };

const topics = new Topics({ clock: new FakeClock() }, { maxWatchers: 1, maxRemembered: 1 });
const state = new CatalogState({ topics }, { datacenter: 'dc1' });
state.addTable(new KvTable({ watches: new KvWatches({ topics }) }));

let folder: string;
beforeAll(() => {
  folder = tempFolder('archive');
});
afterAll(() => removeFolder(folder));

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

const plain = () => bytesOf(writeArchive(META, () => writeSnapshot(9, [ENTRIES]), 0));

/** Whether the archive was taken; anything but a clear refusal is an error. */
async function taken(archive: Uint8Array): Promise<boolean> {
  const path = join(folder, 'archive');
  writeFileSync(path, archive);
  try {
    await readArchive(path, (one) => void checkEntry(state, one));
    return true;
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'storeCorrupt') throw error;
    return false;
  }
}

const changes = fc.array(fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) }), {
  minLength: 1,
  maxLength: 4,
});

function changed(bytes: Buffer, given: readonly { at: number; byte: number }[]): Buffer {
  const out = Buffer.from(bytes);
  for (const { at, byte } of given) out[at % out.length] = byte;
  return out;
}

/** An archive whose checksums are right, whatever its files hold. */
function sealed(meta: Buffer, content: Buffer): Buffer {
  const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
  const sums = Buffer.from(`${sha(meta)}  meta.json\n${sha(content)}  state.bin\n`);
  const files = [
    ['meta.json', meta],
    ['state.bin', content],
    ['SHA256SUMS', sums],
  ] as const;
  const parts = files.flatMap(([name, bytes]) => [tarHeader(name, bytes.length, 0), bytes, tarPadding(bytes.length)]);
  return gzipSync(Buffer.concat([...parts, TAR_END]));
}

describe('archives of snapshots', () => {
  it('are taken when they are whole', async () => {
    expect(await taken(gzipSync(await plain()))).toBe(true);
  });

  it('are refused when any byte of the compressed or the plain form has changed, or the end is missing', async () => {
    const tar = await plain();
    const packed = gzipSync(tar);
    await fc.assert(
      fc.asyncProperty(changes, fc.nat(), async (given, end) => {
        await taken(changed(packed, given));
        const other = changed(tar, given);
        // The name, owner and times of a file, and what fills it up, are not covered by a checksum of ours.
        if (await taken(gzipSync(other))) expect(other.equals(tar) || differsInHeadersOnly(tar, other)).toBe(true);
        expect(await taken(packed.subarray(0, end % packed.length))).toBe(false);
      }),
      { numRuns: RUNS },
    );
  });

  it('are read or refused when the checksums are right and the content is anything', async () => {
    const content = await bytesOf(writeSnapshot(9, [ENTRIES]));
    const meta = Buffer.from(JSON.stringify(META));
    const anything = fc.oneof(fc.jsonValue(), fc.constant(META));
    await fc.assert(
      fc.asyncProperty(changes, anything, async (given, value) => {
        await taken(sealed(changed(meta, given), content));
        await taken(sealed(Buffer.from(JSON.stringify(value)), content));
        await taken(sealed(meta, changed(content, given)));
      }),
      { numRuns: RUNS },
    );
  });

  it('are refused for an entry of an unknown kind, or one that cannot be read', async () => {
    const meta = Buffer.from(JSON.stringify(META));
    const holding = async (one: StoreEntry) => taken(sealed(meta, await bytesOf(writeSnapshot(9, [[one]]))));
    for (const one of ENTRIES) expect(await holding(one)).toBe(true);
    for (const one of [
      entry('unknown/n', {}),
      entry('node', {}),
      entry('node/', {}),
      entry('node/n/m', ENTRIES.at(-1)!.value),
      entry('node/n', { name: 'n' }),
      entry('instance/n/default/w', Buffer.from('{')),
      entry('instance/n/default/w', { node: 'n', namespace: 'default', content: null }),
      entry('instance/n/default/w', { node: 'n', namespace: 'default', content: { ...CONTENT, Tags: null } }),
      entry('instance/n/default/w', []),
      entry('instance/n/default/w', [{ content: {} }]),
      entry('instance/n/default/w', [null]),
      entry('check-definition/n/default/c', [{ state: { output: 'no status' } }]),
      entry('check-definition/n/default/c', [{ definition: 'x' }]),
      entry('check-state/n/default/c', [{}]),
      entry('kv/default/a', Buffer.from([1, 200])),
    ]) {
      expect([one.key, await holding(one)]).toEqual([one.key, false]);
    }
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('node', 'instance', 'check-definition', 'check-state', 'kv', 'owner', 'x'),
        fc.oneof(fc.string(), fc.constant('n/default/c')),
        fc.oneof(
          fc.jsonValue(),
          fc.tuple(fc.dictionary(fc.constantFrom('content', 'state', 'node', 'status'), fc.jsonValue())),
        ),
        async (kind, rest, value) => {
          try {
            checkEntry(state, entry(`${kind}/${rest}`, value));
          } catch (error) {
            if (!(error instanceof AppError) || error.code !== 'storeCorrupt') throw error;
          }
        },
      ),
      { numRuns: RUNS },
    );
  });
});

/** Whether all that differs lies within headers or padding. */
function differsInHeadersOnly(tar: Buffer, other: Buffer): boolean {
  const metaSize = Number.parseInt(tar.toString('latin1', 124, 136), 8);
  const stateAt = 512 + Math.ceil(metaSize / 512) * 512;
  const stateSize = Number.parseInt(tar.toString('latin1', stateAt + 124, stateAt + 136), 8);
  const same = (from: number, length: number) =>
    tar.subarray(from, from + length).equals(other.subarray(from, from + length));
  return same(512, metaSize) && same(stateAt + 512, stateSize);
}
