import { appendFile, chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AssignedCheck } from '../../api/shapes/agent-sync.ts';
import { FakeClock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { silentLogger } from '../../core/log.ts';
import { FolderStateFiles } from './folder-state-files.ts';
import type { CheckToRegister, LocalChange } from './local-changes.ts';
import type { LocalCheckDeclaration, LocalService } from './local-records.ts';
import { LocalState } from './local-state.ts';
import { noStateFiles, type StateFiles } from './state-files.ts';

const service = (id: string, port = 80): LocalService => ({
  namespace: 'default',
  origin: 'api',
  instance: {
    ID: id,
    Service: 'web',
    Tags: [],
    Address: '',
    Meta: {},
    Port: port,
    Weights: { Passing: 1, Warning: 1 },
    EnableTagOverride: false,
  },
});
const declaration = (checkId: string, more: Partial<LocalCheckDeclaration> = {}): LocalCheckDeclaration => ({
  namespace: 'default',
  checkId,
  name: checkId,
  notes: '',
  serviceId: '',
  type: 'ttl',
  interval: '',
  timeout: '',
  definition: { TTL: '30s' },
  origin: 'api',
  ...more,
});
const check = (checkId: string, more: Partial<LocalCheckDeclaration> = {}): CheckToRegister => ({
  declaration: declaration(checkId, more),
  status: 'critical',
  output: '',
  keepState: true,
});
const assigned = (CheckID: string, more: Partial<AssignedCheck> = {}): AssignedCheck => ({
  Namespace: 'default',
  CheckID,
  Name: CheckID,
  ServiceID: 'pod-1',
  ServiceName: 'shop',
  Definition: { TCP: '127.0.0.1:1', Interval: '5s' },
  Status: 'critical',
  Output: 'not run yet',
  DefinitionIndex: 7,
  ...more,
});

describe('local state over a restart', () => {
  let dataDir: string;
  const clock = new FakeClock();
  const open = async () => {
    const state = new LocalState({ files: new FolderStateFiles({ dataDir }), clock, log: silentLogger });
    await state.load();
    return state;
  };
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'lictor-state-'));
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));

  it('keeps services, checks and their last verdicts', async () => {
    const before = await open();
    await before.registerService(service('web-1'), [check('c1', { serviceId: 'web-1' })], {
      replaceExistingChecks: false,
    });
    await before.setVerdict('default/c1', 'passing', 'fine');
    const after = await open();
    expect(after.services()).toEqual([service('web-1')]);
    expect(after.check('default/c1')).toMatchObject({ status: 'passing', output: 'fine', serviceId: 'web-1' });
  });

  it('forgets what was deregistered', async () => {
    const before = await open();
    await before.registerService(service('web-1'), [check('c1', { serviceId: 'web-1' })], {
      replaceExistingChecks: false,
    });
    expect(await before.deregisterService('default', 'WEB-1')).toBe(true);
    expect(await before.deregisterService('default', 'web-1')).toBe(false);
    const after = await open();
    expect(after.services()).toEqual([]);
    expect([...after.checks()]).toEqual([]);
  });

  it('goes on from its own verdict for an assigned check, and without one runs it at once', async () => {
    const before = await open();
    before.setAssigned([assigned('a')]);
    await before.setVerdict('default/a', 'passing', 'open');
    const after = await open();
    const changes: LocalChange[] = [];
    after.onChange((change) => changes.push(change));
    after.setAssigned([assigned('a'), assigned('b')]);
    expect(after.check('default/a')).toMatchObject({ status: 'passing', output: 'open' });
    expect(changes).toContainEqual(expect.objectContaining({ kind: 'check', key: 'default/a', prompt: false }));
    expect(changes).toContainEqual(expect.objectContaining({ kind: 'check', key: 'default/b', prompt: true }));
    // The catalog lacks the verdict: it is to be told.
    expect(changes).toContainEqual({ kind: 'verdict', key: 'default/a', statusChanged: true });
  });

  it('keeps checks of a service that the configuration declares, and drops those of services that are gone', async () => {
    const declared = { ...service('web-1'), origin: 'config' as const };
    const before = await open();
    await before.registerService(declared, [], { replaceExistingChecks: false });
    await before.registerService({ ...service('old'), origin: 'config' }, [], { replaceExistingChecks: false });
    await before.registerCheck(check('c1', { serviceId: 'web-1' }));
    await before.registerCheck(check('c2', { serviceId: 'old' }));
    await before.setVerdict('default/c1', 'passing', 'fine');
    const after = await open();
    await after.registerService(declared, [], { replaceExistingChecks: false });
    await after.dropOrphans();
    expect([...after.checks()]).toMatchObject([{ checkId: 'c1', status: 'passing', output: 'fine' }]);
    expect(await readdir(join(dataDir, 'agent', 'checks'))).toHaveLength(1);
  });

  it('brings back nothing of a registration that failed half-way', async () => {
    const files = new FolderStateFiles({ dataDir });
    let full = false;
    const saveCheck: StateFiles['saveCheck'] = (key, value) =>
      full && key === 'default/c2' && value ? Promise.reject(new Error('ENOSPC')) : files.saveCheck(key, value);
    const before = new LocalState({
      files: {
        load: () => files.load(),
        saveService: (key, value) => files.saveService(key, value),
        saveCheck,
        saveVerdicts: (verdicts) => files.saveVerdicts(verdicts),
      },
      clock,
      log: silentLogger,
    });
    await before.load();
    const checksOf = (serviceId: string) => [check('c1', { serviceId }), check('c2', { serviceId })];
    await before.registerService(service('web-1', 80), [check('c1', { serviceId: 'web-1', name: 'first' })], {
      replaceExistingChecks: false,
    });
    full = true;
    const both = [
      { service: service('web-2'), checks: [] },
      { service: service('web-1', 82), checks: checksOf('web-1') },
    ];
    const replacing = { replaceExistingChecks: true };
    for (const attempt of [
      () => before.registerService(service('web-1', 81), checksOf('web-1'), replacing),
      () => before.registerServices(() => both, replacing),
    ]) {
      await expect(attempt()).rejects.toThrow('ENOSPC');
      for (const state of [before, await open()]) {
        expect(state.services()).toEqual([service('web-1', 80)]);
        expect([...state.checks()]).toMatchObject([{ checkId: 'c1', name: 'first' }]);
      }
    }
  });

  it('writes back what was there when the file of the service itself cannot be written', async () => {
    const files = new FolderStateFiles({ dataDir });
    let full = false;
    const before = new LocalState({
      files: {
        load: () => files.load(),
        saveService: (key, value) => (full ? Promise.reject(new Error('ENOSPC')) : files.saveService(key, value)),
        saveCheck: (key, value) => files.saveCheck(key, value),
        saveVerdicts: (verdicts) => files.saveVerdicts(verdicts),
      },
      clock,
      log: silentLogger,
    });
    await before.load();
    await before.registerService(service('web-1'), [check('c1', { serviceId: 'web-1' })], {
      replaceExistingChecks: false,
    });
    full = true;
    const again = before.registerService(service('web-1', 81), [check('c2', { serviceId: 'web-1' })], {
      replaceExistingChecks: true,
    });
    await expect(again).rejects.toThrow('ENOSPC');
    const after = await open();
    expect(after.services()).toEqual([service('web-1')]);
    expect([...after.checks()].map(({ checkId }) => checkId)).toEqual(['c1']);
  });

  describe('when the last step of saving fails', () => {
    /** What is changed while this holds is on disk, and yet reported as failed: so it is where the folder cannot be synced. */
    let failing: (key: string) => boolean;
    const openFailing = async () => {
      const files = new FolderStateFiles({ dataDir });
      failing = () => false;
      const failed = async (key: string, saved: Promise<void>) => {
        await saved;
        if (failing(key)) throw new Error('EIO');
      };
      const state = new LocalState({
        files: {
          load: () => files.load(),
          saveService: (key, value) => failed(`service ${key}`, files.saveService(key, value)),
          saveCheck: (key, value) => failed(`check ${key}`, files.saveCheck(key, value)),
          saveVerdicts: (verdicts) => files.saveVerdicts(verdicts),
        },
        clock,
        log: silentLogger,
      });
      await state.load();
      return state;
    };
    /** Fails once: what is written to undo it succeeds. */
    const failOnce = (wanted: string) => {
      let isDone = false;
      failing = (key) => {
        const fails = key === wanted && !isDone;
        isDone ||= fails;
        return fails;
      };
    };

    it.each([
      ['a check', 'check default/c2'],
      ['the service', 'service default/web-1'],
      ['its sidecar', 'service default/web-1-sidecar-proxy'],
    ])('keeps a service whole that could not be removed for %s, and removes it when asked again', async (_, key) => {
      const before = await openFailing();
      const sidecar = { ...service('web-1-sidecar-proxy'), sidecarOf: 'web-1' };
      const checks = [check('c1', { serviceId: 'web-1' }), check('c2', { serviceId: 'web-1' })];
      const keeping = { replaceExistingChecks: false };
      await before.registerServices(
        () => [
          { service: service('web-1'), checks },
          { service: sidecar, checks: [] },
        ],
        keeping,
      );
      const changes: string[] = [];
      before.onChange((change) => changes.push(`${change.kind} ${change.key}`));
      failOnce(key);
      await expect(before.deregisterService('default', 'web-1')).rejects.toThrow('EIO');
      const sorted = (state: LocalState) =>
        state
          .services()
          .map(({ instance }) => instance.ID)
          .sort();
      for (const state of [before, await open()]) {
        expect(sorted(state)).toEqual(['web-1', 'web-1-sidecar-proxy']);
        expect(state.checksOf('default', 'web-1').map(({ checkId }) => checkId)).toEqual(['c1', 'c2']);
      }
      expect(changes).toEqual([]);
      expect(await before.deregisterService('default', 'web-1')).toBe(true);
      for (const state of [before, await open()]) expect([state.services(), [...state.checks()]]).toEqual([[], []]);
      expect(changes.sort()).toEqual([
        'check default/c1',
        'check default/c2',
        'service default/web-1',
        'service default/web-1-sidecar-proxy',
      ]);
    });

    it('brings back no check that was refused, and loses none that stays', async () => {
      const before = await openFailing();
      await before.registerCheck(check('known', { name: 'first' }));
      failOnce('check default/new');
      await expect(before.registerCheck(check('new'))).rejects.toThrow('EIO');
      failOnce('check default/known');
      await expect(before.registerCheck(check('known', { name: 'second' }))).rejects.toThrow('EIO');
      failOnce('check default/known');
      await expect(before.deregisterCheck('default', 'known')).rejects.toThrow('EIO');
      for (const state of [before, await open()]) {
        expect([...state.checks()]).toMatchObject([{ checkId: 'known', name: 'first' }]);
      }
    });
  });

  it('takes the state of a check of its configuration from the last run', async () => {
    const before = await open();
    await before.registerCheck(check('disk', { origin: 'config' }));
    await before.setVerdict('default/disk', 'warning', '80 %');
    const after = await open();
    expect([...after.checks()]).toEqual([]);
    await after.registerCheck(check('disk', { origin: 'config' }));
    expect(after.check('default/disk')).toMatchObject({ status: 'warning', output: '80 %' });
  });

  it('moves a damaged file aside, reports it and keeps the rest', async () => {
    const before = await open();
    await before.registerService(service('web-1'), [], { replaceExistingChecks: false });
    await before.registerService(service('web-2'), [], { replaceExistingChecks: false });
    const folder = join(dataDir, 'agent', 'services');
    const [first] = await readdir(folder);
    await writeFile(join(folder, first!), '{"namespace":"defau');
    await writeFile(join(folder, 'x.json.tmp'), 'half');
    const { services, problems } = await new FolderStateFiles({ dataDir }).load();
    expect(services).toHaveLength(1);
    expect(problems).toEqual([expect.stringContaining(first!)]);
    expect(await readdir(folder)).toHaveLength(1);
    expect(await readdir(join(dataDir, 'agent', 'corrupt'))).toEqual([`services-${first}`]);
  });

  it('refuses to start over a file that the system does not give, and leaves everything where it is', async () => {
    const before = await open();
    await before.registerService(service('web-1'), [], { replaceExistingChecks: false });
    const folder = join(dataDir, 'agent', 'services');
    // Reading a folder as a file fails (EISDIR) whoever does it, like a disk error does.
    const unreadable = join(folder, '0.json');
    await mkdir(unreadable);
    const failure = await open().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(AppError);
    expect(failure).toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/0\.json cannot be read .*EISDIR.*start again/),
      facts: { path: unreadable },
    });
    expect(await readdir(folder)).toHaveLength(2);
    expect(await readdir(join(dataDir, 'agent'))).not.toContain('corrupt');
    await rm(unreadable, { recursive: true });
    expect((await open()).services()).toEqual([service('web-1')]);
  });

  it('reads a journal up to a line that a crash has cut, and beyond it', async () => {
    const before = await open();
    await before.registerCheck(check('a'));
    await before.registerCheck(check('b'));
    await before.setVerdict('default/a', 'passing', 'ok');
    const journal = join(dataDir, 'agent', 'verdicts.journal');
    const good = await readFile(journal, 'utf8');
    await appendFile(journal, `deadbeef {"key":"default/a"}\n${good.trimEnd().split('\n').at(-1)!.slice(0, 20)}`);
    const { verdicts, problems } = await new FolderStateFiles({ dataDir }).load();
    expect(verdicts.get('default/a')).toEqual({ status: 'passing', output: 'ok' });
    expect(problems).toEqual([expect.stringContaining('2 incomplete lines')]);
    expect((await new FolderStateFiles({ dataDir }).load()).problems).toEqual([]);
  });

  it('refuses a folder of a newer version', async () => {
    await open();
    await writeFile(join(dataDir, 'agent', 'format'), '2\n');
    await expect(open()).rejects.toMatchObject({ code: 'storeVersion' });
  });

  it('names a folder that cannot be used', async () => {
    const file = join(dataDir, 'file');
    await writeFile(file, '');
    await chmod(file, 0o400);
    const failure = await new FolderStateFiles({ dataDir: file }).load().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(AppError);
    expect(failure).toMatchObject({ code: 'config', message: expect.stringContaining(file) });
  });

  it('does not let the journal grow without end', async () => {
    const state = await open();
    await state.registerCheck(check('a'));
    const output = 'x'.repeat(4000);
    for (let i = 0; i < 600; i++) await state.setVerdict('default/a', i % 2 ? 'passing' : 'critical', `${i}${output}`);
    expect((await readFile(join(dataDir, 'agent', 'verdicts.journal'))).length).toBeLessThan(1_200_000);
    expect((await open()).check('default/a')).toMatchObject({ status: 'passing' });
  });
});

describe('local state', () => {
  let state: LocalState;
  let changes: LocalChange[];
  const clock = new FakeClock(1000);
  beforeEach(() => {
    changes = [];
    state = new LocalState({ files: noStateFiles, clock, log: silentLogger });
    state.onChange((change) => changes.push(change));
  });

  it('keeps other checks of a service unless told to replace them', async () => {
    await state.registerService(service('s'), [check('a', { serviceId: 's' })], { replaceExistingChecks: false });
    await state.registerService(service('s'), [check('b', { serviceId: 's' })], { replaceExistingChecks: false });
    expect(state.checksOf('default', 's').map((one) => one.checkId)).toEqual(['a', 'b']);
    await state.registerService(service('s'), [check('b', { serviceId: 's' })], { replaceExistingChecks: true });
    expect(state.checksOf('default', 's').map((one) => one.checkId)).toEqual(['b']);
  });

  it('keeps the state of a check whose definition changes, and has it run anew', async () => {
    state.setAssigned([assigned('a')]);
    await state.setVerdict('default/a', 'passing', 'ok');
    changes.length = 0;
    state.setAssigned([assigned('a', { DefinitionIndex: 8, Definition: { TCP: '127.0.0.1:2', Interval: '5s' } })]);
    expect(state.check('default/a')).toMatchObject({ status: 'passing', definition: { TCP: '127.0.0.1:2' } });
    expect(changes).toContainEqual(expect.objectContaining({ kind: 'check', key: 'default/a', prompt: true }));
  });

  it('does not disturb a runner whose definition is the same', async () => {
    state.setAssigned([assigned('a')]);
    changes.length = 0;
    state.setAssigned([assigned('a', { DefinitionIndex: 9 })]);
    expect(changes).toEqual([]);
  });

  it('stops what is no longer assigned', () => {
    state.setAssigned([assigned('a'), assigned('b')]);
    state.setAssigned([assigned('b')]);
    expect([...state.checks()].map((one) => one.checkId)).toEqual(['b']);
  });

  it('never lets an assigned check take the place of its own', async () => {
    await state.registerCheck(check('a'));
    state.setAssigned([assigned('a')]);
    expect(state.check('default/a')!.origin).toBe('api');
  });

  it('tells which service a check has left', async () => {
    for (const id of ['s', 't']) await state.registerService(service(id), [], { replaceExistingChecks: false });
    await state.registerCheck(check('a', { serviceId: 's' }));
    changes.length = 0;
    await state.registerCheck(check('a', { serviceId: 't' }));
    expect(changes).toMatchObject([{ kind: 'check', serviceKey: 'default/t', movedFrom: 'default/s' }]);
    changes.length = 0;
    await state.registerCheck(check('a'));
    expect(changes).toMatchObject([{ kind: 'check', serviceKey: undefined, movedFrom: 'default/t' }]);
    changes.length = 0;
    await state.registerCheck(check('a', { serviceId: 's' }));
    expect(changes).toMatchObject([{ kind: 'check', serviceKey: 'default/s', movedFrom: '' }]);
    state.setAssigned([assigned('x')]);
    changes.length = 0;
    state.setAssigned([assigned('x', { ServiceID: 's' })]);
    expect(changes).toMatchObject([{ kind: 'check', serviceKey: 'default/s', movedFrom: 'default/pod-1' }]);
  });

  it('remembers since when a check is critical', async () => {
    await state.registerCheck(check('a'));
    const since = clock.monotonic();
    await clock.advance(500);
    clock.jumpWall(3_600_000);
    await state.setVerdict('default/a', 'critical', 'still');
    expect(state.check('default/a')!.criticalSinceMs).toBe(since);
    await state.setVerdict('default/a', 'passing', '');
    expect(state.check('default/a')!.criticalSinceMs).toBeUndefined();
  });

  it('tells a change of the status from one of the output', async () => {
    await state.registerCheck(check('a'));
    changes.length = 0;
    await state.setVerdict('default/a', 'critical', 'first text');
    await state.setVerdict('default/a', 'critical', 'new text');
    await state.setVerdict('default/a', 'critical', 'new text');
    await state.setVerdict('default/a', 'passing', 'new text');
    expect(changes).toEqual([
      // Until its first verdict the catalog says that the check has not run.
      { kind: 'verdict', key: 'default/a', statusChanged: true },
      { kind: 'verdict', key: 'default/a', statusChanged: false },
      { kind: 'verdict', key: 'default/a', statusChanged: true },
    ]);
  });
});

describe('local state while a registration is being saved', () => {
  const clock = new FakeClock();
  let state: LocalState;
  /** What is being saved waits for these. */
  let waiting: (() => void)[];
  let held: boolean;
  const saved = () => (held ? new Promise<void>((resolve) => waiting.push(resolve)) : Promise.resolve());
  const files: StateFiles = { ...noStateFiles, saveService: saved, saveCheck: saved };
  const release = async () => {
    held = false;
    for (const resolve of waiting.splice(0)) resolve();
  };
  const turns = async () => {
    for (let i = 0; i < 10; i++) await Promise.resolve();
  };
  beforeEach(() => {
    waiting = [];
    held = false;
    state = new LocalState({ files, clock, log: silentLogger });
  });

  it('does not lose a verdict that comes meanwhile', async () => {
    await state.registerService(service('s'), [check('c', { serviceId: 's', type: 'http' })], {
      replaceExistingChecks: false,
    });
    await state.setVerdict('default/c', 'passing', 'ok');
    held = true;
    const again = state.registerService(service('s'), [check('c', { serviceId: 's', type: 'http' })], {
      replaceExistingChecks: false,
    });
    await turns();
    // The check's file first, then the service's: the verdict comes while the latter is written.
    for (const resolve of waiting.splice(0)) resolve();
    await turns();
    await state.setVerdict('default/c', 'critical', 'down');
    await release();
    await again;
    expect(state.check('default/c')).toMatchObject({ status: 'critical', output: 'down' });
  });

  it('shows a service only with all of its checks', async () => {
    const seen: (readonly string[])[] = [];
    state.onChange(() => seen.push(state.checksOf('default', 's').map((one) => one.checkId)));
    held = true;
    const registered = state.registerService(
      service('s'),
      [check('a', { serviceId: 's' }), check('b', { serviceId: 's' })],
      { replaceExistingChecks: false },
    );
    for (let i = 0; i < 5; i++) {
      await turns();
      for (const resolve of waiting.splice(0)) resolve();
      const shown = state.service('default', 's') ? state.checksOf('default', 's').length : 2;
      expect(shown).toBe(2);
    }
    await registered;
    expect(new Set(seen.map((ids) => ids.join()))).toEqual(new Set(['a,b']));
  });
});
