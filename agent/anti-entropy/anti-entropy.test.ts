import type { AssignedCheck } from '../../api/shapes/agent-sync.ts';
import { FakeClock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { SeededRandom } from '../../core/random.ts';
import type { CheckToRegister } from '../local-state/local-changes.ts';
import type { LocalService } from '../local-state/local-records.ts';
import { LocalState } from '../local-state/local-state.ts';
import { noStateFiles } from '../local-state/state-files.ts';
import { AntiEntropySyncer } from './anti-entropy-syncer.ts';
import { AssignmentFollower } from './assignment-follower.ts';
import { CriticalReaper } from './critical-reaper.ts';
import { FakeServerCatalog } from './fake-server-catalog.ts';
import { VerdictReporter } from './verdict-reporter.ts';

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
const check = (checkId: string, serviceId = '', more: object = {}): CheckToRegister => ({
  declaration: {
    namespace: 'default',
    checkId,
    name: checkId,
    notes: '',
    serviceId,
    type: 'ttl',
    interval: '',
    timeout: '',
    definition: { TTL: '30s', ...more },
    origin: 'api',
  },
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
const keep = { replaceExistingChecks: false };
const away = new AppError('unavailable', 'no server');

describe('anti-entropy', () => {
  let clock: FakeClock;
  let catalog: FakeServerCatalog;
  let local: LocalState;
  let syncer: AntiEntropySyncer;
  let reporter: VerdictReporter;
  let follower: AssignmentFollower;
  let stop: AbortController;
  const logged: unknown[][] = [];
  const said: { msg: string; text?: string }[] = [];
  let running: Promise<unknown>;
  /** Starts all parts, then moves time. */
  let begin: (ms: number) => Promise<void>;

  const compose = () => {
    local = new LocalState({ files: noStateFiles, clock, log: silentLogger });
    stop = new AbortController();
    const deps = { local, catalog, clock, log: silentLogger, metrics: new Metrics(), random: new SeededRandom(1) };
    const node = { datacenter: 'dc1', nodeName: 'n1', nodeId: '', address: '10.0.0.1', taggedAddresses: {}, meta: {} };
    reporter = new VerdictReporter(
      {
        ...deps,
        holds: (key, serviceKey) => syncer.holds(key, serviceKey),
        nodeRegistered: () => syncer.nodeRegistered(),
        onReconnect: () => syncer.reconnected(),
      },
      { nodeName: 'n1' },
    );
    said.length = 0;
    const say = (msg: string, fields?: object) => void said.push({ msg, ...fields });
    const log = { ...silentLogger, debug: (...line: unknown[]) => void logged.push(line), warn: say, info: say };
    syncer = new AntiEntropySyncer({ ...deps, log, verdicts: reporter }, { node });
    follower = new AssignmentFollower(deps, { nodeName: 'n1' });
    const members = [syncer, reporter, follower, new CriticalReaper(deps, { nodeName: 'n1' })];
    begin = (ms) => {
      running = Promise.all(members.map((member) => member.run({ signal: stop.signal, ready: () => {} })));
      return clock.advance(ms);
    };
  };
  const end = async () => {
    stop.abort();
    catalog.wake();
    await clock.advance(1);
    await running;
  };
  beforeEach(() => {
    clock = new FakeClock();
    catalog = new FakeServerCatalog();
    compose();
  });
  afterEach(end);

  it('registers the node first and reports that it lives', async () => {
    await begin(1);
    expect(catalog.calls.filter((call) => call.startsWith('register'))).toEqual(['register n1']);
    expect(catalog.nodes.get('n1')).toMatchObject({ Address: '10.0.0.1', SkipNodeUpdate: false });
    expect(syncer.synced()).toBe(true);
    await clock.advance(15_000);
    expect(catalog.reports.length).toBeGreaterThanOrEqual(4);
    expect(catalog.reports[0]).toEqual({ Verdicts: [], HeartbeatMs: 5000 });
  });

  it('tells the log what it writes', async () => {
    await begin(1);
    logged.length = 0;
    await local.registerService(service('web-1'), [], keep);
    await clock.advance(1_000);
    await local.deregisterService('default', 'web-1');
    await clock.advance(1_000);
    expect(logged).toEqual([
      ['synced to the catalog', { unit: 'service default/web-1' }],
      ['taken out of the catalog', { unit: 'service default/web-1' }],
    ]);
  });

  it('gives no sign of life while the servers refuse its node', async () => {
    catalog.failure = new AppError('badRequest', 'Node name n1 is reserved by another node');
    catalog.failing = (call) => call === 'register n1';
    catalog.assign(2, [assigned('a')]);
    await begin(1);
    await local.setVerdict('default/a', 'passing', 'ok');
    await clock.advance(60_000);
    expect(catalog.reports).toEqual([]);
    catalog.failure = undefined;
    await clock.advance(15_000);
    expect(catalog.reports[0]?.Verdicts).toMatchObject([{ CheckID: 'a', Status: 'passing' }]);
  });

  it('writes a service with its checks at once and together', async () => {
    await begin(1);
    await local.registerService(service('web-1'), [check('c1', 'web-1')], keep);
    await clock.advance(1);
    expect(catalog.services.get('web-1')).toMatchObject({ owner: 'agent/n1' });
    expect(catalog.services.get('web-1')!.registration.Checks).toHaveLength(1);
    expect(catalog.checks.get('c1')).toMatchObject({ status: 'critical' });
    expect(catalog.calls.filter((call) => call.startsWith('register'))).toEqual(['register n1', 'register web-1']);
  });

  it('writes both services at once when a check moves from one to the other', async () => {
    await begin(1);
    await local.registerService(service('a'), [check('c1', 'a')], keep);
    await local.registerService(service('b'), [], keep);
    await clock.advance(1);
    catalog.calls.length = 0;
    await local.registerCheck(check('c1', 'b'));
    await clock.advance(1);
    expect(catalog.calls.filter((call) => call.startsWith('register')).sort()).toEqual(['register a', 'register b']);
    expect(catalog.checks.get('c1')).toMatchObject({ serviceId: 'b' });
    // A check that comes through the catalog says nothing of services that are not this agent's.
    catalog.calls.length = 0;
    catalog.assign(2, [assigned('x')]);
    await clock.advance(1);
    catalog.assign(3, [assigned('x', { ServiceID: 'pod-2' })]);
    await clock.advance(1);
    expect(catalog.calls.filter((call) => /register/.test(call))).toEqual([]);
  });

  describe('a service with EnableTagOverride', () => {
    const shared = (id: string, Tags: string[], more: Partial<LocalService> = {}): LocalService => ({
      ...service(id),
      instance: { ...service(id).instance, Tags, EnableTagOverride: true },
      ...more,
    });
    const tagsInCatalog = () => catalog.services.get('web-1')!.registration.Service!.Tags;
    const setInCatalog = (Tags: string[]) => {
      const entry = catalog.services.get('web-1')!;
      entry.registration = { ...entry.registration, Service: { ...entry.registration.Service!, Tags } };
    };
    const shown = () => local.service('default', 'web-1')!.instance.Tags;

    it('takes over the tags that others have set, and writes them back with the next change', async () => {
      await begin(1);
      await local.registerService(shared('web-1', ['v1']), [], keep);
      await clock.advance(1);
      setInCatalog(['v1', 'primary']);
      const woken: string[] = [];
      local.onChange((change) => woken.push(change.kind));
      catalog.calls.length = 0;
      await clock.advance(70_000);
      expect(shown()).toEqual(['v1', 'primary']);
      expect(woken).toEqual(['service']);
      expect(catalog.calls).not.toContain('register web-1');
      await local.registerCheck(check('c1', 'web-1'));
      await clock.advance(1);
      expect(catalog.calls).toContain('register web-1');
      expect(tagsInCatalog()).toEqual(['v1', 'primary']);
    });

    it('writes tags that were declared anew meanwhile', async () => {
      await begin(1);
      await local.registerService(shared('web-1', ['v1']), [], keep);
      await clock.advance(1);
      setInCatalog(['primary']);
      catalog.failure = away;
      catalog.failing = (call) => call === 'register web-1';
      await local.registerService(shared('web-1', ['v2']), [], keep);
      await clock.advance(70_000);
      catalog.failure = undefined;
      await clock.advance(70_000);
      expect([shown(), tagsInCatalog()]).toEqual([['v2'], ['v2']]);
    });

    it('keeps them over a reload that declares the same before they were taken over', async () => {
      const declared = shared('web-1', ['v1'], { origin: 'config' });
      await begin(1);
      await local.registerService(declared, [], keep);
      await clock.advance(1);
      setInCatalog(['primary']);
      await clock.advance(5_000);
      await local.registerService(declared, [], keep);
      await clock.advance(70_000);
      expect([shown(), tagsInCatalog()]).toEqual([['primary'], ['primary']]);
    });

    it('keeps them over a reload that declares the same', async () => {
      const declared = (tags: string[]) => shared('web-1', tags, { origin: 'config' });
      await begin(1);
      await local.registerService(declared(['v1']), [], keep);
      await clock.advance(1);
      setInCatalog(['primary']);
      await clock.advance(70_000);
      await local.registerService(declared(['v1']), [], keep);
      await clock.advance(1);
      expect(tagsInCatalog()).toEqual(['primary']);
      await local.registerService(declared(['v2']), [], keep);
      await clock.advance(1);
      expect([shown(), tagsInCatalog()]).toEqual([['v2'], ['v2']]);
    });

    /** Another run of the agent, which finds `declared` in its files or its configuration. */
    const restart = async (declared: LocalService, checks: CheckToRegister[] = []) => {
      await end();
      compose();
      await local.registerService(declared, checks, keep);
      await begin(70_000);
    };

    it.each(['api', 'config'] as const)('writes tags declared anew while it was stopped (%s)', async (origin) => {
      await begin(1);
      await local.registerService(shared('web-1', ['v1'], { origin }), [], keep);
      await clock.advance(1);
      setInCatalog(['primary']);
      await restart(shared('web-1', ['v2'], { origin }));
      expect([shown(), tagsInCatalog()]).toEqual([['v2'], ['v2']]);
    });

    it('keeps those of others over a restart, also when something else is declared anew', async () => {
      await begin(1);
      await local.registerService(shared('web-1', ['v1']), [], keep);
      await clock.advance(1);
      setInCatalog(['primary']);
      await restart(shared('web-1', ['v1']));
      expect([shown(), tagsInCatalog()]).toEqual([['primary'], ['primary']]);
      await restart(shared('web-1', ['v1']), [check('c1', 'web-1')]);
      expect(catalog.services.get('web-1')!.registration.Checks).toHaveLength(1);
      expect([shown(), tagsInCatalog()]).toEqual([['primary'], ['primary']]);
    });

    it('keeps them over the upgrade from a version that has written one digest for all', async () => {
      await begin(1);
      await local.registerService(shared('web-1', ['v1']), [], keep);
      await clock.advance(1);
      setInCatalog(['primary']);
      const entry = catalog.services.get('web-1')!;
      entry.hash = entry.hash.slice(0, 32);
      await restart(shared('web-1', ['v1']));
      expect(tagsInCatalog()).toEqual(['primary']);
      entry.hash = entry.hash.slice(0, 32);
      await restart(shared('web-1', ['v2']));
      expect(tagsInCatalog()).toEqual(['v2']);
    });

    it('shows its own with servers that do not give them', async () => {
      catalog.givesTags = false;
      await begin(1);
      await local.registerService(shared('web-1', ['v1']), [], keep);
      await clock.advance(1);
      setInCatalog(['primary']);
      await clock.advance(70_000);
      expect([shown(), tagsInCatalog()]).toEqual([['v1'], ['primary']]);
    });
  });

  it('resolves settled once the write was made', async () => {
    await begin(1);
    await local.registerService(service('web-1'), [], keep);
    let done = false;
    const settled = syncer.settled(5000).then(() => {
      done = true;
    });
    expect(done).toBe(false);
    await clock.advance(1);
    await settled;
    expect(catalog.services.has('web-1')).toBe(true);
  });

  it('removes a service, and a check whose service stays', async () => {
    await begin(1);
    await local.registerService(service('web-1'), [check('c1', 'web-1'), check('c2', 'web-1')], keep);
    await clock.advance(1);
    await local.deregisterCheck('default', 'c2');
    await clock.advance(1);
    expect([...catalog.checks.keys()]).toEqual(['c1']);
    await local.deregisterService('default', 'web-1');
    await clock.advance(1);
    expect(catalog.services.size).toBe(0);
  });

  it('removes what it owns and no longer declares, and nothing else', async () => {
    catalog.services.set('old', { owner: 'agent/n1', hash: 'x', registration: { Node: 'n1' } });
    catalog.services.set('pod', { owner: 'operator/main', hash: 'x', registration: { Node: 'n1' } });
    catalog.services.set('manual', { owner: '', hash: '', registration: { Node: 'n1' } });
    await begin(1);
    expect([...catalog.services.keys()]).toEqual(['pod', 'manual']);
  });

  it('removes nothing while its entries cannot be read', async () => {
    catalog.services.set('old', { owner: 'agent/n1', hash: 'x', registration: { Node: 'n1' } });
    catalog.failure = away;
    catalog.failing = (call) => call === 'entries';
    await begin(30_000);
    expect(catalog.services.has('old')).toBe(true);
    expect(syncer.synced()).toBe(false);
  });

  it('mends within a minute and a bit what others have changed', async () => {
    await begin(1);
    await local.registerService(service('web-1'), [check('c1', 'web-1')], keep);
    await clock.advance(1);
    catalog.services.get('web-1')!.hash = '';
    catalog.checks.delete('c1');
    await clock.advance(70_000);
    expect(catalog.services.get('web-1')!.hash).not.toBe('');
    expect(catalog.checks.has('c1')).toBe(true);
  });

  it('writes nothing in a full sync when nothing differs', async () => {
    await begin(1);
    await local.registerService(service('web-1'), [check('c1', 'web-1')], keep);
    await clock.advance(1);
    catalog.calls.length = 0;
    await clock.advance(70_000);
    expect(catalog.calls).toContain('entries');
    expect(catalog.calls.filter((call) => /web-1|c1/.test(call))).toEqual([]);
  });

  it('brings the newest state after the servers were away', async () => {
    await begin(1);
    catalog.failure = away;
    await local.registerService(service('web-1', 80), [], keep);
    await clock.advance(20_000);
    await local.registerService(service('web-1', 81), [], keep);
    await clock.advance(20_000);
    catalog.failure = undefined;
    await clock.advance(20_000);
    expect(catalog.services.get('web-1')!.registration.Service!.Port).toBe(81);
  });

  it('says at once what keeps it from the catalog, then each minute, and when that is over', async () => {
    catalog.failure = away;
    await begin(59_000);
    const trouble = { msg: 'the catalog could not be brought up to date; trying again', text: 'no server' };
    expect(said).toEqual([trouble]);
    await clock.advance(10_000);
    expect(said).toEqual([trouble, trouble]);
    catalog.failure = undefined;
    await clock.advance(70_000);
    expect(said.slice(2)).toEqual([{ msg: 'the catalog is up to date' }]);
  });

  it('names -retry-join where no server is known', async () => {
    catalog.failure = new AppError('noLeader', 'No known Consul servers', { facts: { servers: 0 } });
    await begin(59_000);
    expect(said).toEqual([{ msg: expect.stringMatching(/^no server is known/), text: expect.any(String) }]);
    expect(said[0]!.text).toMatch(/-retry-join .*lictor join/);
  });

  it('syncs at once when a server was joined', async () => {
    catalog.failure = away;
    await local.registerService(service('web-1'), [], keep);
    await begin(60_000);
    catalog.failure = undefined;
    catalog.assign(2, [assigned('a')]);
    // As an attempt has just failed, the next one is seconds away.
    await clock.advance(1);
    expect([catalog.services.has('web-1'), local.check('default/a')]).toEqual([false, undefined]);
    syncer.compareNow();
    follower.joined();
    await clock.advance(1);
    expect(catalog.services.has('web-1')).toBe(true);
    expect(local.check('default/a')).toBeDefined();
  });

  it('goes on with others when one entry belongs to somebody else', async () => {
    catalog.services.set('pod', { owner: 'operator/main', hash: 'x', registration: { Node: 'n1' } });
    await begin(1);
    await local.registerService(service('pod'), [], keep);
    await local.registerService(service('web-1'), [], keep);
    await clock.advance(1);
    expect(catalog.services.get('pod')!.owner).toBe('operator/main');
    expect(catalog.services.has('web-1')).toBe(true);
  });

  it('reports a changed status at once and a changed output later', async () => {
    await begin(1);
    await local.registerCheck(check('c1'));
    await clock.advance(1);
    await local.setVerdict('default/c1', 'passing', 'ok');
    await clock.advance(1);
    expect(catalog.checks.get('c1')).toMatchObject({ status: 'passing', output: 'ok' });
    await local.setVerdict('default/c1', 'passing', 'still ok');
    await clock.advance(30_000);
    expect(catalog.checks.get('c1')!.output).toBe('ok');
    await clock.advance(450_000);
    expect(catalog.checks.get('c1')!.output).toBe('still ok');
  });

  it('lets a changed output wait over a full sync too, unless the status differs', async () => {
    await begin(1);
    await local.registerCheck(check('c1'));
    await clock.advance(1);
    await local.setVerdict('default/c1', 'critical', 'first text');
    await clock.advance(1);
    await local.setVerdict('default/c1', 'critical', 'another text');
    await clock.advance(140_000);
    expect(catalog.checks.get('c1')!.output).toBe('first text');
    await clock.advance(310_000);
    expect(catalog.checks.get('c1')!.output).toBe('another text');
    catalog.checks.get('c1')!.status = 'passing';
    await clock.advance(70_000);
    expect(catalog.checks.get('c1')!.status).toBe('critical');
  });

  it('never reports a verdict before its check is registered, and then the newest', async () => {
    await begin(1);
    let open = () => {};
    catalog.gate = new Promise((resolve) => {
      open = resolve;
    });
    await local.registerCheck(check('c1'));
    await clock.advance(1);
    await local.setVerdict('default/c1', 'passing', 'late');
    await clock.advance(1);
    expect(catalog.reports.flatMap((report) => report.Verdicts)).toEqual([]);
    catalog.gate = undefined;
    open();
    await clock.advance(10);
    expect(catalog.checks.get('c1')).toMatchObject({ status: 'passing', output: 'late' });
  });

  it('sends what changed while a report was under way', async () => {
    await begin(1);
    catalog.assign(2, [assigned('a')]);
    await clock.advance(1);
    let open = () => {};
    catalog.gate = new Promise((resolve) => {
      open = resolve;
    });
    await local.setVerdict('default/a', 'passing', '1');
    await clock.advance(1);
    await local.setVerdict('default/a', 'critical', '2');
    catalog.gate = undefined;
    open();
    await clock.advance(1);
    const states = catalog.reports.flatMap((report) => report.Verdicts).map((verdict) => verdict.Status);
    expect(states).toEqual(['passing', 'critical']);
  });

  it('runs on with the last known assignments while the servers are away', async () => {
    catalog.assign(2, [assigned('a')]);
    await begin(1);
    expect(local.check('default/a')).toBeDefined();
    catalog.failure = away;
    catalog.wake();
    await clock.advance(60_000);
    expect(local.check('default/a')).toBeDefined();
    catalog.failure = undefined;
    catalog.assign(3, []);
    await clock.advance(30_000);
    expect(local.check('default/a')).toBeUndefined();
  });

  it('removes a service whose check stays critical for too long, whoever declared it', async () => {
    await begin(1);
    const after = { DeregisterCriticalServiceAfter: '2m' };
    await local.registerService(service('web-1'), [check('c1', 'web-1', after)], keep);
    catalog.services.set('pod-1', { owner: 'operator/main', hash: '', registration: { Node: 'n1' } });
    catalog.assign(2, [assigned('a', { Definition: { TCP: '127.0.0.1:1', Interval: '5s', ...after } })]);
    await clock.advance(110_000);
    expect([...catalog.services.keys()].sort()).toEqual(['pod-1', 'web-1']);
    await clock.advance(60_000);
    expect([...catalog.services.keys()]).toEqual([]);
    expect(local.service('default', 'web-1')).toBeUndefined();
  });

  it('does not remove a service whose check was well in between', async () => {
    await begin(1);
    const after = { DeregisterCriticalServiceAfter: '2m' };
    await local.registerService(service('web-1'), [check('c1', 'web-1', after)], keep);
    await clock.advance(100_000);
    await local.setVerdict('default/c1', 'passing', '');
    await local.setVerdict('default/c1', 'critical', '');
    await clock.advance(100_000);
    expect(local.service('default', 'web-1')).toBeDefined();
  });

  it('does not remove a service that recovers while another one is removed', async () => {
    await begin(1);
    const after = { DeregisterCriticalServiceAfter: '2m' };
    catalog.assign(2, [assigned('a', { Definition: { TCP: '127.0.0.1:1', Interval: '5s', ...after } })]);
    await clock.advance(1);
    await local.registerService(service('web-1'), [check('c1', 'web-1', after)], keep);
    await clock.advance(1);
    let open = () => {};
    const { deregister } = catalog;
    catalog.deregister = async (target, writer) => {
      await new Promise<void>((resolve) => {
        open = resolve;
      });
      return deregister.call(catalog, target, writer);
    };
    await clock.advance(160_000);
    await local.setVerdict('default/c1', 'passing', '');
    open();
    await clock.advance(1);
    expect(local.service('default', 'web-1')).toBeDefined();
  });

  it('removes the sidecar together with its service', async () => {
    await begin(1);
    const after = { DeregisterCriticalServiceAfter: '2m' };
    await local.registerService(service('web-1'), [check('c1', 'web-1', after)], keep);
    const sidecar = { ...service('web-1-sidecar-proxy'), sidecarOf: 'web-1' };
    await local.registerService(sidecar, [check('c2', 'web-1-sidecar-proxy')], keep);
    await clock.advance(170_000);
    expect([local.services(), [...local.checks()]]).toEqual([[], []]);
    expect([...catalog.services.keys()]).toEqual([]);
  });

  it('counts neither the time in which it was away nor a jump of the wall clock', async () => {
    const after = { DeregisterCriticalServiceAfter: '10m' };
    const critical = { status: 'critical' as const, output: 'refused' };
    const earlier = new LocalState({
      files: {
        ...noStateFiles,
        load: async () => ({
          services: [service('web-1')],
          checks: [check('c1', 'web-1', after).declaration],
          verdicts: new Map([['default/c1', { ...critical, criticalSinceMs: clock.now() - 3_600_000 }]]),
          problems: [],
        }),
      },
      clock,
      log: silentLogger,
    });
    await earlier.load();
    const reaper = new CriticalReaper({ local: earlier, catalog, clock, log: silentLogger }, { nodeName: 'n1' });
    const reaping = reaper.run({ signal: stop.signal, ready: () => {} });
    await begin(60_000);
    clock.jumpWall(3_600_000);
    await clock.advance(60_000);
    expect(earlier.service('default', 'web-1')).toBeDefined();
    await clock.advance(600_000);
    expect(earlier.service('default', 'web-1')).toBeUndefined();
    stop.abort();
    await clock.advance(1);
    await reaping;
  });

  it('writes one unit at a time, so that an earlier state never comes after a later one', async () => {
    const { register } = catalog;
    const open: { id: string; go: () => void }[] = [];
    catalog.register = async (registration, writer) => {
      const id = registration.Service?.ID;
      if (id) await new Promise<void>((go) => open.push({ id, go }));
      return register.call(catalog, registration, writer);
    };
    await local.registerService(service('web-1', 1), [], keep);
    await local.registerService(service('web-2', 1), [], keep);
    await begin(1);
    expect(open.map(({ id }) => id)).toEqual(['web-1', 'web-2']);
    await local.registerService(service('web-1', 2), [], keep);
    let told = false;
    const settled = syncer.settled(60_000).then(() => {
      told = true;
    });
    // The other unit is done first, so that its writer is free.
    open.pop()!.go();
    await clock.advance(1);
    expect(open.map(({ id }) => id)).toEqual(['web-1']);
    open.pop()!.go();
    await clock.advance(1);
    expect(told).toBe(false);
    open.pop()!.go();
    await clock.advance(1);
    await settled;
    expect(catalog.services.get('web-1')?.registration.Service?.Port).toBe(2);
  });

  it('lives on when the servers refuse what it reports', async () => {
    await begin(1);
    catalog.assign(2, [assigned('a')]);
    await clock.advance(1);
    const { report } = catalog;
    catalog.report = async (node, sent) => {
      if (sent.Verdicts.length > 0) throw new AppError('badRequest', 'Verdicts[0]: no');
      return report.call(catalog, node, sent);
    };
    await local.setVerdict('default/a', 'passing', '1');
    catalog.reports.length = 0;
    await clock.advance(20_000);
    expect(catalog.reports.length).toBeGreaterThanOrEqual(3);
  });

  it('brings every verdict that the servers take, whatever else they refuse', async () => {
    await begin(1);
    const ids = Array.from({ length: 40 }, (_, i) => `a${i}`);
    catalog.assign(
      2,
      ids.map((id) => assigned(id)),
    );
    await clock.advance(1);
    const { report } = catalog;
    let refused = 0;
    catalog.report = async (node, sent) => {
      if (!sent.Verdicts.some(({ CheckID }) => CheckID === 'a17')) return report.call(catalog, node, sent);
      refused++;
      throw new AppError('tooLarge', 'max size');
    };
    catalog.reports.length = 0;
    for (const id of ids) void local.setVerdict(`default/${id}`, 'passing', 'ok');
    await clock.advance(30_000);
    const told = catalog.reports.flatMap(({ Verdicts }) => Verdicts).map(({ CheckID }) => CheckID);
    expect(told.sort()).toEqual(ids.filter((id) => id !== 'a17').sort());
    // Halved until it was alone, and then not sent again.
    expect(refused).toBeLessThan(8);
  });

  describe('with as many verdicts as a report holds', () => {
    const ids = Array.from({ length: 500 }, (_, i) => `a${i}`);
    let tries: number;
    /** What the servers say to a report. */
    let answer: (checkIds: readonly string[]) => AppError | undefined;
    const told = () => new Set(catalog.reports.flatMap(({ Verdicts }) => Verdicts).map(({ CheckID }) => CheckID));
    beforeEach(async () => {
      await begin(1);
      catalog.assign(
        2,
        ids.map((id) => assigned(id)),
      );
      await clock.advance(1);
      const { report } = catalog;
      tries = 0;
      catalog.report = async (node, sent) => {
        tries++;
        const refusal = answer(sent.Verdicts.map(({ CheckID }) => CheckID));
        if (refusal) throw refusal;
        return report.call(catalog, node, sent);
      };
    });

    it('keeps them where the servers refuse a report without any, too, and tries seldom', async () => {
      answer = () => new AppError('badRequest', 'HeartbeatMs: no');
      for (const id of ids) void local.setVerdict(`default/${id}`, 'passing', 'ok');
      await clock.advance(60_000);
      // Each time with the verdicts and without them, at most 5 s apart.
      expect(tries).toBeGreaterThan(2 * 10);
      expect(tries).toBeLessThan(2 * 30);
      answer = () => undefined;
      await clock.advance(10_000);
      expect(told()).toEqual(new Set(ids));
    });

    it('gives the servers time where they refuse nearly all, and brings what they take', async () => {
      answer = (checkIds) =>
        checkIds.some((id) => id !== 'a250') ? new AppError('badRequest', 'Verdicts: no') : undefined;
      catalog.reports.length = 0;
      for (const id of ids) void local.setVerdict(`default/${id}`, 'passing', 'ok');
      await clock.advance(500);
      expect(tries).toBeLessThan(40);
      await clock.advance(50_000);
      expect(told()).toEqual(new Set(['a250']));
      // Signs of life came all the while.
      expect(catalog.reports.length).toBeGreaterThan(10);
    });
  });

  it('gives a sign of life, too, while all that it has to say is refused', async () => {
    await begin(1);
    catalog.assign(2, [assigned('a')]);
    await clock.advance(1);
    const { report } = catalog;
    catalog.report = async (node, sent) => {
      if (sent.Verdicts.length > 0) throw new AppError('tooLarge', 'max size');
      return report.call(catalog, node, sent);
    };
    catalog.reports.length = 0;
    for (let i = 0; i < 20; i++) {
      await local.setVerdict('default/a', i % 2 ? 'passing' : 'critical', `${i}`);
      await clock.advance(1000);
    }
    expect(catalog.reports.length).toBeGreaterThanOrEqual(4);
  });

  it('keeps reports below what a server takes, but for a single output', async () => {
    await begin(1);
    // Characters that take the most in JSON.
    const sizes = [80_000, 100_000, 20_000, 20_000, 160_000];
    catalog.assign(
      2,
      sizes.map((_, i) => assigned(`a${i}`)),
    );
    await clock.advance(1);
    catalog.reports.length = 0;
    for (const [i, size] of sizes.entries()) void local.setVerdict(`default/a${i}`, 'passing', '\u0001'.repeat(size));
    await clock.advance(1000);
    const bytes = catalog.reports.map((sent) => JSON.stringify(sent).length);
    expect(Math.max(...bytes)).toBeLessThan(1024 * 1024);
    expect(catalog.reports.flatMap(({ Verdicts }) => Verdicts)).toHaveLength(sizes.length);
  });

  it('stops at once while the servers hang', async () => {
    await begin(1);
    catalog.gate = new Promise(() => {});
    await local.registerService(service('web-1'), [], keep);
    await clock.advance(10_000);
    stop.abort();
    catalog.wake();
    await clock.advance(1);
    await running;
  });
});
