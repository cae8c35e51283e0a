import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Condition, Intention } from '../../crds/types/index.ts';
import { eventually } from '../support/eventually.ts';
import { describeKube } from '../support/kube/binaries.ts';
import { type OperatorProcess, startDev } from '../support/processes/lictor.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';
import { intentionsPath, Line, SHORT_LEASE, SOON } from './line.ts';

/** An agent or server that answers HTTP. */
interface Answering {
  readonly url: string;
}

async function call(at: Answering, method: string, path: string, body?: object): Promise<unknown> {
  const response = await fetch(`${at.url}${path}`, {
    method,
    ...(body && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(10_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return JSON.parse(text);
}

/** Waits until the servers would (not) let `web` connect. */
function untilAllowed(at: Answering, destination: string, expected: boolean): Promise<unknown> {
  const path = `/v1/connect/intentions/check?source=web&destination=${destination}`;
  return eventually(async () => expect(await call(at, 'GET', path)).toEqual({ Allowed: expected }), SOON);
}

describeKube('an Intention', () => {
  let line: Line;
  let operator: OperatorProcess;
  let namespace: string;

  beforeAll(async () => {
    line = await Line.start();
    namespace = await line.kube.createNamespace('shop');
    operator = await line.operator({ args: SHORT_LEASE });
  }, 120_000);
  afterAll(() => line?.stop(), 30_000);

  const path = (name: string) => `${intentionsPath(namespace)}/${name}`;
  const apply = (name: string, spec: object) =>
    line.kube.apply({ apiVersion: 'lictor.dev/v1alpha1', kind: 'Intention', metadata: { name, namespace }, spec });
  const deny = (service: string) => ({ destination: { service }, sources: [{ service: 'web', action: 'deny' }] });
  const untilReady = (name: string, expected: Partial<Condition>) =>
    eventually(async () => {
      const intention = await line.kube.api.get<Intention>(path(name));
      expect(intention.status?.conditions).toContainEqual(
        expect.objectContaining({ type: 'Ready', observedGeneration: intention.metadata.generation, ...expected }),
      );
      return intention;
    }, SOON);

  it('decides who may connect, and kubectl shows it', async () => {
    await untilAllowed(line.server, 'db', true);
    await apply('db', deny('db'));
    await untilAllowed(line.server, 'db', false);
    await untilReady('db', { status: 'True', reason: 'Synced' });
    const { stdout } = await line.kube.kubectl(['get', 'lin', '-n', namespace, '-o', 'wide']);
    expect(stdout.split('\n').map((row) => row.trim().split(/ {2,}/).slice(0, -1))).toEqual([
      ['NAME', 'DESTINATION', 'SOURCES', 'READY', 'EFFECTIVE', 'REASON'],
      ['db', 'db', '1', 'True', '1', 'Synced'],
      [],
    ]);
  }, 60_000);

  it('follows its object', async () => {
    await apply('db', { ...deny('db'), sources: [{ service: 'web', action: 'allow' }] });
    await untilAllowed(line.server, 'db', true);
    await apply('db', deny('cache'));
    await untilAllowed(line.server, 'cache', false);
    await eventually(async () => {
      expect(await call(line.server, 'GET', '/v1/config/service-intentions')).toMatchObject([{ Name: 'cache' }]);
    }, SOON);
  }, 60_000);

  it('is restored when somebody changes it or deletes it at the servers', async () => {
    const exact = '/v1/connect/intentions/exact?source=web&destination=cache';
    await call(line.server, 'PUT', exact, { Action: 'allow' });
    await untilAllowed(line.server, 'cache', false);
    await call(line.server, 'DELETE', '/v1/config/service-intentions/cache');
    await untilAllowed(line.server, 'cache', false);
  }, 60_000);

  it('leaves alone what was written without it, until that is gone', async () => {
    const entry = { Kind: 'service-intentions', Name: 'api', Sources: [{ Name: 'web', Action: 'allow' }] };
    await call(line.server, 'PUT', '/v1/config', entry);
    await apply('api', deny('api'));
    const { status } = await untilReady('api', { status: 'False', reason: 'Conflict' });
    expect(status).toMatchObject({ effective: 0, overriddenBy: [expect.stringContaining('service-intentions api')] });
    expect(await call(line.server, 'GET', '/v1/config/service-intentions/api')).toMatchObject(entry);
    await eventually(async () => {
      const { stdout } = await line.kube.kubectl(['get', 'events', '-n', namespace]);
      expect(stdout).toMatch(/Warning +Conflict +intention\/api/);
    }, SOON);
    await call(line.server, 'DELETE', '/v1/config/service-intentions/api');
    await untilAllowed(line.server, 'api', false);
    await untilReady('api', { status: 'True' });
  }, 60_000);

  it('gets its destination when the older one goes', async () => {
    await apply('later', { ...deny('cache'), sources: [{ service: 'web', action: 'allow' }] });
    await untilReady('later', { status: 'False', reason: 'Conflict' });
    await untilAllowed(line.server, 'cache', false);
    await line.kube.api.delete(path('db'));
    await untilAllowed(line.server, 'cache', true);
    await untilReady('later', { status: 'True' });
  }, 60_000);

  it('says what the servers refuse, until what it needs is there', async () => {
    const sources = [{ service: 'web', permissions: [{ action: 'allow', http: { pathPrefix: '/read' } }] }];
    await apply('api', { destination: { service: 'api' }, sources });
    await untilReady('api', { status: 'False', reason: 'Refused', message: expect.stringContaining('protocol') });
    await call(line.server, 'PUT', '/v1/config', { Kind: 'service-defaults', Name: 'api', Protocol: 'http' });
    await apply('api', { destination: { service: 'api' }, sources: [...sources, { service: '*', action: 'deny' }] });
    await untilReady('api', { status: 'True' });
    expect(await call(line.server, 'GET', '/v1/config/service-intentions/api')).toMatchObject({
      Sources: [{ Name: 'web', Permissions: [{ Action: 'allow', HTTP: { PathPrefix: '/read' } }] }, { Name: '*' }],
    });
  }, 60_000);

  it('arrives after an outage of the servers', async () => {
    await line.server.kill();
    await apply('away', deny('away'));
    await line.kube.api.delete(path('later'));
    await line.server.restart();
    await untilAllowed(line.server, 'away', false);
    await untilReady('away', { status: 'True' });
    await eventually(async () => {
      const names = (await call(line.server, 'GET', '/v1/config/service-intentions')) as { Name: string }[];
      expect(names.map(({ Name }) => Name)).toEqual(['api', 'away']);
    }, SOON);
  }, 90_000);

  it('goes with its object, also when that was deleted while the operator was away; nothing is written without a change', async () => {
    await operator.kill();
    await line.kube.api.delete(path('away'));
    await operator.restart();
    await untilAllowed(line.server, 'away', true);
    expect(await operator.metric('lictor_operator_intention_writes_total', '{operation="put"}')).toBe(0);
    expect(await operator.metric('lictor_operator_intention_writes_total', '{operation="delete"}')).toBe(1);
  }, 90_000);
});

describe('an Intention in a folder', () => {
  it('decides, follows its file, and is refused with the field when it is wrong', async () => {
    const folder = tempFolder('manifests');
    const file = join(folder, 'db.yaml');
    const manifest = (action: string) =>
      JSON.stringify({
        apiVersion: 'lictor.dev/v1alpha1',
        kind: 'Intention',
        metadata: { name: 'db' },
        spec: { destination: { service: 'db' }, sources: [{ service: 'web', action }] },
      });
    writeFileSync(file, manifest('deny'));
    const dev = await startDev(folder);
    try {
      await untilAllowed(dev, 'db', false);
      writeFileSync(file, manifest('maybe'));
      await eventually(() => expect(dev.log()).toContain('spec.sources[0].action'), SOON);
      await untilAllowed(dev, 'db', false);
      writeFileSync(file, manifest('allow'));
      await untilAllowed(dev, 'db', true);
      writeFileSync(file, manifest('deny'));
      await untilAllowed(dev, 'db', false);
      rmSync(file);
      await untilAllowed(dev, 'db', true);
    } finally {
      await dev.stop();
      removeFolder(folder);
    }
  }, 120_000);
});
