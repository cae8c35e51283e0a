import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock } from '../core/clock.ts';
import { AutoReload } from './auto-reload.ts';

describe('AutoReload', () => {
  it('reloads once a change has settled, also of a new file in a folder, and not without one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lictor-auto-reload-'));
    const file = join(folder, 'a.hcl');
    writeFileSync(file, '');
    const clock = new FakeClock();
    let reloads = 0;
    const reload = async () => void reloads++;
    const stop = new AbortController();
    const running = new AutoReload({ clock, reload }, { paths: () => [file, folder] }).run({
      signal: stop.signal,
      ready: () => {},
    });
    const seconds = async (count: number) => {
      for (let i = 0; i < count; i++) await clock.advance(1_000);
    };
    await seconds(3);
    expect(reloads).toBe(0);
    writeFileSync(file, 'domain = "x"');
    await seconds(1);
    expect(reloads).toBe(0);
    await seconds(3);
    expect(reloads).toBe(1);
    writeFileSync(join(folder, 'b.hcl'), '');
    await seconds(3);
    expect(reloads).toBe(2);
    rmSync(folder, { recursive: true });
    await seconds(3);
    expect(reloads).toBe(3);
    stop.abort();
    await seconds(1);
    await running;
  });
});
