import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { SystemClock } from '../core/clock.ts';
import { createLogger } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { SeededRandom } from '../core/random.ts';
import type { HealthCheck, Intention, Service } from '../crds/types/index.ts';
import { eventually } from '../test/support/eventually.ts';
import { FakeCatalog } from '../test/support/fake-catalog.ts';
import { RunningServer } from '../test/support/running-server.ts';
import { composeFileOperator, type FileOperator } from './file-composition.ts';

const clock = new SystemClock();
let folder: string;
let catalog: FakeCatalog;
/** Holds the intentions. */
let holder: RunningServer;
let operator: FileOperator;
let logged: string[];
let stop: AbortController;
let running: Promise<void>;

function start(): void {
  logged = [];
  operator = composeFileOperator({
    folder,
    catalogClient: catalog,
    intentionClient: holder.composed.intentionClient,
    externalNode: 'dev',
    clock,
    random: new SeededRandom(1),
    log: createLogger({ sink: { write: (line) => logged.push(line) } }),
    metrics: new Metrics(),
  });
  stop = new AbortController();
  running = operator.runnable.run({ signal: stop.signal, ready: () => {} });
  running.catch(() => {});
}
async function end(): Promise<void> {
  stop.abort();
  await running.catch(() => {});
}

const file = (name: string, text: string) => writeFile(join(folder, name), text);
const manyPorts = (count: number) => Array.from({ length: count }, (_, at) => 8001 + at);
const service = (name: string, ports: number[], extra = '') => `
apiVersion: lictor.dev/v1alpha1
kind: Service
metadata: {name: ${name}}
spec:
  instances: [${ports.map((port) => `{address: 127.0.0.1, port: ${port}}`).join(', ')}]
${extra}`;
const check = (name: string, of: string) => `
apiVersion: lictor.dev/v1alpha1
kind: HealthCheck
metadata: {name: ${name}}
spec: {serviceRef: {name: ${of}}, http: {path: /healthz}, interval: 1s}
`;
const ids = () => [...catalog.instances.values()].map(({ owned }) => owned.ServiceID).sort();
const soon = (check: () => unknown) => eventually(() => void check(), { withinMs: 30_000, everyMs: 5 });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lictor-folder-'));
  catalog = new FakeCatalog();
  holder = await RunningServer.start();
});
afterEach(async () => {
  await end();
  await holder.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('operator on a folder', () => {
  it('registers instances with their checks and shows statuses', async () => {
    await file('web.yaml', service('web', [8001, 8002]));
    await file('check.yaml', check('alive', 'web'));
    start();
    await soon(() =>
      expect(catalog.summary()).toEqual([
        'dev/web-127.0.0.1-8001 127.0.0.1:8001 [default.alive:web-127.0.0.1-8001=critical] Service/default/web',
        'dev/web-127.0.0.1-8002 127.0.0.1:8002 [default.alive:web-127.0.0.1-8002=critical] Service/default/web',
      ]),
    );
    const [first] = catalog.instances.values();
    expect(first!.registration.Checks![0]!.Definition).toMatchObject({
      HTTP: 'http://127.0.0.1:8001/healthz',
      Interval: '1s',
    });
    catalog.verdict('default.alive:web-127.0.0.1-8001', 'passing', 'HTTP GET: 200 OK');
    await soon(() => {
      const web = operator.manifests.get('Service', 'default/web') as Service;
      expect(web.status).toMatchObject({ healthy: 1, total: 2, omitted: 0, serviceName: 'web' });
      expect(web.status!.endpoints!.map(({ port, status }) => [port, status])).toEqual([
        [8002, 'critical'],
        [8001, 'passing'],
      ]);
      const alive = operator.manifests.get('HealthCheck', 'default/alive') as HealthCheck;
      expect(alive.status).toMatchObject({ passing: 1, critical: 1, warning: 0 });
      expect(alive.status!.failing).toMatchObject([{ instance: 'web-127.0.0.1-8002', output: 'not run yet' }]);
      expect(alive.status!.conditions![0]).toMatchObject({ type: 'Ready', status: 'True', reason: 'Registered' });
    });
  });

  it('follows edits and removals of files', async () => {
    await file('web.yaml', service('web', [8001]));
    await file('db.yaml', service('db', [5432]));
    start();
    await soon(() => expect(ids()).toEqual(['db-127.0.0.1-5432', 'web-127.0.0.1-8001']));
    await file('web.yaml', service('web', [8001, 8002]));
    await soon(() => expect(ids()).toEqual(['db-127.0.0.1-5432', 'web-127.0.0.1-8001', 'web-127.0.0.1-8002']));
    await rm(join(folder, 'web.yaml'));
    await soon(() => expect(ids()).toEqual(['db-127.0.0.1-5432']));
  });

  it('keeps the last good objects of a file that is wrong, and says so once', async () => {
    await file('web.yaml', service('web', [8001]));
    start();
    await soon(() => expect(ids()).toEqual(['web-127.0.0.1-8001']));
    await file('web.yaml', service('web', [8001]).slice(0, -12));
    await soon(() => expect(operator.manifests.problems).toHaveLength(1));
    await file('web.yaml', `${service('web', [8001])}  colour: blue\n`);
    await soon(() => expect(operator.manifests.problems.join()).toContain('spec.colour'));
    expect(ids()).toEqual(['web-127.0.0.1-8001']);
    expect(operator.manifests.kept).toEqual([join(folder, 'web.yaml')]);
    await file('web.yaml', service('web', [8009]));
    await soon(() => expect(ids()).toEqual(['web-127.0.0.1-8009']));
    expect([operator.manifests.problems, operator.manifests.kept]).toEqual([[], []]);
    const lines = logged.filter((line) => line.includes('spec.colour'));
    expect(lines).toEqual([expect.stringContaining(`the last good version still serves: ${join(folder, 'web.yaml')}`)]);
  });

  it('says that nothing is kept of a new file that is wrong, and that all is while the folder is away', async () => {
    await file('web.yaml', service('web', [8001]));
    start();
    await soon(() => expect(ids()).toEqual(['web-127.0.0.1-8001']));
    await file('new.yaml', `${service('new', [8002])}  colour: blue\n`);
    await soon(() => expect(operator.manifests.problems.join()).toContain('spec.colour'));
    expect(operator.manifests.kept).toEqual([]);
    await rm(folder, { recursive: true });
    await soon(() => expect(operator.manifests.kept).toEqual([folder]));
    expect(ids()).toEqual(['web-127.0.0.1-8001']);
  });

  it('holds back what goes with most of the folder at once, and says what to do', async () => {
    const [sub, away] = [join(folder, 'sub'), `${folder}-away`];
    await mkdir(sub);
    await file('sub/web.yaml', service('web', manyPorts(12)));
    start();
    await soon(() => expect(ids()).toHaveLength(12));
    catalog.writes.length = 0;
    await rename(sub, away); // as when it is not mounted any more
    try {
      await soon(() =>
        expect(operator.heldSweeps()).toEqual(['12 of 12 instances would be removed at once, more than 50 %']),
      );
      expect(operator.manifests.objects()).toEqual([]);
      expect(operator.manifests.problems).toEqual([
        `${folder}: the files of 1 of 1 objects are gone or empty at once; if that is wrong, put them back, as what they declared is removed`,
      ]);
    } finally {
      await rename(away, sub);
    }
    await soon(() => expect([operator.heldSweeps(), operator.manifests.problems]).toEqual([[], []]));
    expect(catalog.writes).toEqual([]);
  });

  it('takes a file that is renamed for the same, also together with an edit', async () => {
    const ports = manyPorts(20);
    await file('web.yaml', service('web', ports));
    start();
    await soon(() => expect(ids()).toHaveLength(20));
    catalog.writes.length = 0;
    await rename(join(folder, 'web.yaml'), join(folder, 'app.yaml'));
    await file('db.yaml', service('db', [5432])); // after it, so that the folder was read since
    await soon(() => expect(ids()).toHaveLength(21));
    expect([catalog.writes, operator.manifests.problems]).toEqual([['register db-127.0.0.1-5432'], []]);
    await file('app.yaml.new', service('web', ports.slice(0, 5)));
    await rename(join(folder, 'app.yaml.new'), join(folder, 'app.yaml'));
    await rename(join(folder, 'app.yaml'), join(folder, 'front.yaml'));
    await soon(() => expect(ids()).toHaveLength(6));
    expect([operator.heldSweeps(), operator.manifests.problems]).toEqual([[], []]);
    expect(logged.filter((line) => line.includes('most of the folder is gone'))).toEqual([]);
  });

  it('says that most of the folder is gone until something changes after it', async () => {
    await mkdir(join(folder, 'sub'));
    for (const name of ['cache', 'sub/web', 'sub/db']) await file(`${name}.yaml`, service(basename(name), [5432]));
    start();
    await soon(() => expect(ids()).toHaveLength(3));
    await rename(join(folder, 'sub'), join(folder, '.away'));
    await soon(() =>
      expect(operator.manifests.problems).toEqual([expect.stringContaining('are gone or empty at once')]),
    );
    await file('cache.yaml', service('cache', [5433]));
    await soon(() => expect(operator.manifests.problems).toEqual([]));
    await soon(() => expect(ids()).toEqual(['cache-127.0.0.1-5433']));
  });

  it('removes what goes with one file of several, and with all when they are few', async () => {
    await file('web.yaml', service('web', manyPorts(12)));
    for (const name of ['db', 'cache']) await file(`${name}.yaml`, service(name, [5432]));
    start();
    await soon(() => expect(ids()).toHaveLength(14));
    await rm(join(folder, 'web.yaml'));
    await soon(() => expect(ids()).toHaveLength(2));
    expect(operator.manifests.problems).toEqual([]);
    for (const name of ['db', 'cache']) await rm(join(folder, `${name}.yaml`));
    await soon(() => expect(ids()).toEqual([]));
  });

  it('removes after a restart what was removed meanwhile, and touches nothing else', async () => {
    await file('web.yaml', service('web', [8001]));
    await file('db.yaml', service('db', [5432]));
    start();
    await soon(() => expect(ids()).toHaveLength(2));
    await end();
    await rm(join(folder, 'web.yaml'));
    catalog.writes.length = 0;
    start();
    await soon(() => expect(ids()).toEqual(['db-127.0.0.1-5432']));
    expect(catalog.writes).toEqual(['deregister web-127.0.0.1-8001']);
  });

  it('does not start with a wrong file, and deletes nothing then', async () => {
    await file('web.yaml', service('web', [8001]));
    start();
    await soon(() => expect(ids()).toHaveLength(1));
    await end();
    await file('web.yaml', 'kind: Servise\n');
    start();
    await expect(running).rejects.toThrow(/web\.yaml:1/);
    expect(ids()).toHaveLength(1);
  });

  it('says that a selector finds no pods in a folder', async () => {
    await file(
      'web.yaml',
      'apiVersion: lictor.dev/v1alpha1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {matchLabels: {app: web}}}\n',
    );
    start();
    await soon(() => {
      const web = operator.manifests.get('Service', 'default/web') as Service;
      expect(web.status!.conditions![0]).toMatchObject({ status: 'False', reason: 'NoSource' });
    });
  });

  it('finds pods that lie in the folder', async () => {
    await file(
      'web.yaml',
      `apiVersion: lictor.dev/v1alpha1
kind: Service
metadata: {name: web}
spec: {selector: {matchLabels: {app: web}}, ports: [{name: http, port: web}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-1, labels: {app: web}}
spec: {nodeName: n1, containers: [{name: c, image: i, ports: [{name: web, containerPort: 8080}]}]}
status: {podIP: 10.0.0.7, hostIP: 10.0.0.1, phase: Running, conditions: [{type: Ready, status: "True"}]}
`,
    );
    start();
    await soon(() => expect(catalog.instances.size).toBe(1));
    const { owned, registration } = [...catalog.instances.values()][0]!;
    expect(owned).toMatchObject({ Node: 'n1', Address: '10.0.0.7', Port: 8080 });
    expect(registration).toMatchObject({ Address: '10.0.0.1', SkipNodeUpdate: true });
  });

  it('writes intentions that decide, follows their edits, and lets go of them', async () => {
    const intention = (action: string) => `
apiVersion: lictor.dev/v1alpha1
kind: Intention
metadata: {name: db}
spec: {destination: {service: db}, sources: [{service: web, action: ${action}}]}
`;
    const allowed = async () => {
      const answer = await holder.call('GET', '/v1/connect/intentions/check?source=web&destination=db');
      return (answer.json as { Allowed: boolean }).Allowed;
    };
    const soonAllowed = (expected: boolean) =>
      eventually(async () => expect(await allowed()).toBe(expected), { withinMs: 30_000, everyMs: 5 });
    await file('db.yaml', intention('deny'));
    start();
    await soonAllowed(false);
    await soon(() => {
      const db = operator.manifests.get('Intention', 'default/db') as Intention;
      expect(db.status).toMatchObject({ sources: 1, effective: 1, overriddenBy: [] });
      expect(db.status!.conditions![0]).toMatchObject({ type: 'Ready', status: 'True', reason: 'Synced' });
    });
    await file('db.yaml', intention('allow'));
    await soonAllowed(true);
    await file('db.yaml', intention('maybe'));
    await soon(() => expect(operator.manifests.problems.join()).toContain('spec.sources[0].action'));
    expect(await allowed()).toBe(true);
    await file('db.yaml', intention('deny'));
    await soonAllowed(false);
    await rm(join(folder, 'db.yaml'));
    await soonAllowed(true); // the default policy
    expect(await holder.composed.intentionClient.read('db')).toBeUndefined();
  });

  it('puts back what somebody removed', async () => {
    await file('web.yaml', service('web', [8001]));
    start();
    await soon(() => expect(ids()).toHaveLength(1));
    await soon(() => expect(operator.manifests.get('Service', 'default/web')!.status).toBeDefined());
    catalog.remove([...catalog.instances.keys()][0]!);
    await soon(() => expect(ids()).toHaveLength(1));
  });
});
