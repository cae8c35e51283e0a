import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { SystemRandom } from '../../core/random.ts';
import type { Store } from '../store.ts';
import { openLmdbStore } from './open-lmdb-store.ts';
import { STORE_FORMAT } from './store-meta.ts';

let dir = '';
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lictor-open-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const open = (folder = dir): Promise<Store> =>
  openLmdbStore({ dir: folder, clock: new SystemClock(), log: silentLogger, random: new SystemRandom() });

/** Opens and closes, so that the folder holds a store. */
async function create(folder = dir): Promise<void> {
  const store = await open(folder);
  await store.commit({ compares: [], ops: [{ kind: 'put', key: 'a', value: Buffer.from('1') }] });
  await store.close();
}

const refusal = (code: string, message: RegExp): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe('openLmdbStore', () => {
  it('makes the folder and those above it', async () => {
    const folder = join(dir, 'not', 'there');
    await create(folder);
    expect(JSON.parse(await readFile(join(folder, 'store.json'), 'utf8'))).toMatchObject({ format: STORE_FORMAT });
  });

  it('keeps the folder and its files from other users, also those of an earlier run', async () => {
    const folder = join(dir, 'private');
    const modes = async () => {
      const names = ['.', ...(await readdir(folder))];
      return Promise.all(names.map(async (name) => ((await stat(join(folder, name))).mode & 0o777).toString(8)));
    };
    const allPrivate = (found: string[]) => {
      expect(found.length).toBeGreaterThan(4);
      expect(found).toEqual(['700', ...found.slice(1).map(() => '600')]);
    };
    const before = process.umask(0);
    try {
      await create(folder);
    } finally {
      process.umask(before);
    }
    allPrivate(await modes());
    await chmod(folder, 0o755);
    for (const name of await readdir(folder)) await chmod(join(folder, name), 0o644);
    const store = await open(folder);
    allPrivate(await modes());
    await store.close();
  });

  it('refuses a folder that cannot be made or written, naming it', async () => {
    await writeFile(join(dir, 'file'), '');
    await expect(open(join(dir, 'file', 'data'))).rejects.toEqual(
      refusal(
        'config',
        /^data folder \S+file\/data is not writable \((Error: )?ENOTDIR.*; give this user the right to write there/,
      ),
    );
    await expect(open('/proc/lictor')).rejects.toEqual(
      refusal('config', /^data folder \/proc\/lictor is not writable/),
    );
  });

  it('refuses a folder without the right to write', async () => {
    if (process.getuid?.() === 0) return; // root may write everywhere
    await mkdir(join(dir, 'locked'));
    await chmod(join(dir, 'locked'), 0o500);
    await expect(open(join(dir, 'locked'))).rejects.toEqual(refusal('config', /is not writable \((Error: )?EACCES/));
  });

  it('refuses a folder that is open already, and takes it after close', async () => {
    const first = await open();
    await expect(open()).rejects.toEqual(refusal('config', /^data folder \S+ is in use by this process; stop it or/));
    expect(
      await first.commit({ compares: [], ops: [{ kind: 'put', key: 'a', value: Buffer.from('1') }] }),
    ).toMatchObject({
      ok: true,
    });
    await first.close();
    await (await open()).close();
  });

  it('frees the folder when opening fails', async () => {
    await create();
    const path = join(dir, 'data.mdb');
    const bytes = await readFile(path);
    await writeFile(path, bytes.subarray(0, 5000));
    await expect(open()).rejects.toEqual(refusal('storeCorrupt', /^data folder .* it is cut off: it has 5000 bytes/));
    await writeFile(path, bytes);
    await (await open()).close();
  });

  it('refuses a newer format by the manifest', async () => {
    await create();
    const path = join(dir, 'store.json');
    const manifest = JSON.parse(await readFile(path, 'utf8'));
    await writeFile(path, JSON.stringify({ ...manifest, format: 7 }));
    await expect(open()).rejects.toEqual(
      refusal(
        'storeVersion',
        /^data folder \S+: it has format 7, this version reads up to format 3; use the newer version/,
      ),
    );
  });

  it('refuses a newer LMDB data version', async () => {
    await create();
    const path = join(dir, 'data.mdb');
    const bytes = await readFile(path);
    bytes.writeUInt32LE(3, 24 + 4);
    await writeFile(path, bytes);
    await expect(open()).rejects.toEqual(refusal('storeVersion', /LMDB data version 3/));
  });

  it('refuses the data file of another store, and a manifest that makes no sense', async () => {
    await create();
    await create(join(dir, 'other'));
    await writeFile(join(dir, 'data.mdb'), await readFile(join(dir, 'other', 'data.mdb')));
    await expect(open()).rejects.toEqual(refusal('storeCorrupt', /belongs to another store/));
    await writeFile(join(dir, 'store.json'), '{');
    await expect(open()).rejects.toEqual(refusal('storeCorrupt', /store\.json cannot be read/));
  });

  it('opens a store whose manifest was not yet written when its process was killed', async () => {
    await create();
    await rm(join(dir, 'store.json'));
    const store = await open();
    expect(store.revision()).toBe(1);
    await store.close();
    expect(await readFile(join(dir, 'store.json'), 'utf8')).toContain('storeId');
  });
});
