import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { eventually } from '../../test/support/eventually.ts';
import { ManifestFiles } from './manifest-files.ts';
import { ManifestFolder } from './manifest-folder.ts';

const WEB =
  '{apiVersion: lictor.dev/v1alpha1, kind: Service, metadata: {name: web}, spec: {instances: [{address: 10.0.0.1, port: 80}]}}';

describe('folder of manifests', () => {
  it('says that a reading does not end, and for as long as it does not', async () => {
    const path = await mkdtemp(join(tmpdir(), 'lictor-manifests-'));
    const clock = new FakeClock();
    const files = new ManifestFiles(path);
    let answers: Promise<void> = Promise.resolve();
    // As a network file system whose server is away.
    const read = (nowMs: number) => answers.then(() => files.read(nowMs));
    const folder = new ManifestFolder({ clock, log: silentLogger, files: { read } }, { path });
    const stop = new AbortController();
    let ready = false;
    const running = folder.run({
      signal: stop.signal,
      ready: () => {
        ready = true;
      },
    });
    try {
      await eventually(() => expect(ready).toBe(true), { withinMs: 30_000, everyMs: 5 });
      await writeFile(join(path, 'web.yaml'), WEB);
      const hung = Promise.withResolvers<void>();
      answers = hung.promise;
      await clock.advance(29_000);
      expect(folder.problems).toEqual([]);
      await clock.advance(2_000);
      expect(folder.problems).toEqual([
        `${path}: reading it has not ended after 30 s; see whether its file system answers`,
      ]);
      expect(folder.kept).toEqual([path]);
      hung.resolve();
      await eventually(() => expect(folder.problems).toEqual([]), { withinMs: 30_000, everyMs: 5 });
      expect(folder.get('Service', 'default/web')).toBeDefined();
    } finally {
      stop.abort();
      await running;
      await rm(path, { recursive: true });
    }
  });
});
