import { existsSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { FakeClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { removeFolder, tempFolder } from '../../test/support/processes/temp-folder.ts';
import { KnownStoreFile } from './known-store.ts';

describe('the file that says which store a server uses', () => {
  const folder = tempFolder('known');
  afterAll(() => removeFolder(folder));

  it('is on disk before it takes the place of the one before, and then so is its name', async () => {
    const path = join(folder, 'etcd-store.json');
    const some = await open(folder, 'r');
    const handles = Object.getPrototypeOf(some) as { sync(): Promise<void> };
    await some.close();
    /** What the file held at each sync. */
    const synced: unknown[] = [];
    jest.spyOn(handles, 'sync').mockImplementation(async () => {
      if (existsSync(path)) synced.push(JSON.parse(readFileSync(path, 'utf8')).revision);
    });
    const deps = { clock: new FakeClock(), log: silentLogger };
    const keep = (revision: number): Promise<void> => {
      return new KnownStoreFile(deps, folder).keep(() => ({ storeId: 's', revision }), AbortSignal.abort());
    };
    try {
      await keep(1);
      synced.length = 0;
      await keep(2);
    } finally {
      jest.restoreAllMocks();
    }
    expect(synced).toEqual([1, 2]);
    expect(new KnownStoreFile(deps, folder).read()).toEqual({ storeId: 's', revision: 2 });
  });
});
