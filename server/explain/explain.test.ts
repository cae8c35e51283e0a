import type { CheckStatus, HealthEntry } from '../../api/shapes/catalog.ts';
import type { Explanation } from '../../api/shapes/explain.ts';
import { FakeClock } from '../../core/clock.ts';
import { RunningServer } from '../../test/support/running-server.ts';

let clock: FakeClock;
let server: RunningServer;
beforeEach(async () => {
  clock = new FakeClock();
  server = await RunningServer.start({ clock });
});
afterEach(() => server.stop());

it('says why there is no instance where somebody in the process knows it', async () => {
  const whyNoInstance = (namespace: string, name: string) => (name === 'web' ? `none for ${namespace}` : undefined);
  const knowing = await RunningServer.start({ clock, whyNoInstance });
  const ask = async (query: string) => (await knowing.get<Explanation>(`/v1/explain/service/${query}`)).json;
  expect(await ask('web?ns=team')).toMatchObject({ Instances: [], Reason: 'none for team' });
  expect(await ask('db')).not.toHaveProperty('Reason');
  await knowing.register({ Node: 'n', Address: '10.0.0.1', Service: { Service: 'web' } });
  expect(await ask('web')).not.toHaveProperty('Reason');
  await knowing.stop();
});

const instance = (ID: string, Service: string, Namespace?: string) =>
  server.register({ Node: `n-${ID}`, Address: '10.0.0.1', Service: { ID, Service, Namespace, Port: 80, Tags: [ID] } });
const check = (id: string, CheckID: string, Status: CheckStatus, more: object = {}) =>
  server.register({
    Node: `n-${id}`,
    SkipNodeUpdate: true,
    Check: { CheckID, Name: `check ${CheckID}`, Status, ServiceID: id, ...more },
  });
const explain = async (query: string) => (await server.get<Explanation>(`/v1/explain/service/${query}`)).json;
const inShort = ({ Instances }: Explanation) =>
  Instances.map(({ ServiceID, DNS, Passing, Reasons }) => [
    ServiceID,
    DNS,
    Passing,
    ...Reasons.map(({ Text }) => Text),
  ]);

it('says of each instance whether it is answered and what keeps it back', async () => {
  for (const id of ['a', 'b', 'c', 'd']) await instance(id, 'web');
  await check('b', 'slow', 'warning', { Output: '900 ms\nmore' });
  await check('c', '_service_maintenance:c', 'critical', { Notes: 'new disk' });
  await server.composed.serverCatalog.report('n-d', { HeartbeatMs: 1000, Verdicts: [] });
  await clock.advance(10_000);
  expect(inShort(await explain('WEB'))).toEqual([
    ['a', true, true],
    ['b', true, false, 'check slow is warning: 900 ms'],
    ['c', false, false, 'the instance is in maintenance: new disk'],
    ['d', false, false, 'the agent of node n-d does not report'],
  ]);
  expect(inShort(await explain('web?tag=a&filter=Service.ID+==+b')).slice(0, 2)).toEqual([
    ['a', false, false, 'the filter leaves it out'],
    ['b', false, false, 'check slow is warning: 900 ms', 'it does not carry the tags asked for'],
  ]);
  const passing = (await server.get<HealthEntry[]>('/v1/health/service/web?passing')).json;
  expect(passing.map(({ Service }) => Service.ID)).toEqual(['a']);
});

it('knows since when, whoever writes the status, and whatever the output does', async () => {
  await instance('a', 'web');
  const since = async () => (await explain('web')).Instances[0]!.Reasons.map(({ Since }) => Since);
  await clock.advance(1000);
  const failed = new Date(clock.now()).toISOString();
  await check('a', 'c', 'critical', { Output: '1' });
  await clock.advance(1000);
  await check('a', 'c', 'critical', { Output: '2' });
  const verdict = (Status: CheckStatus, Output: string) => ({ Namespace: 'default', CheckID: 'c', Status, Output });
  await server.composed.serverCatalog.report('n-a', { HeartbeatMs: 60_000, Verdicts: [verdict('critical', '3')] });
  expect(await since()).toEqual([failed]);
  await clock.advance(1000);
  const slow = new Date(clock.now()).toISOString();
  const Check = { Node: 'n-a', CheckID: 'c', Name: 'c', ServiceID: 'a', Status: 'warning' };
  await server.call('PUT', '/v1/txn', { body: [{ Check: { Verb: 'set', Check } }] });
  await clock.advance(1000);
  expect(await since()).toEqual([slow]);
  await server.composed.serverCatalog.report('n-a', { HeartbeatMs: 60_000, Verdicts: [verdict('critical', '4')] });
  expect(await since()).toEqual([new Date(clock.now()).toISOString()]);
});

it('offers names that are near, and other namespaces that have the name', async () => {
  await instance('a', 'Payments');
  await instance('b', 'web', 'team');
  expect(await explain('payment')).toMatchObject({ Instances: [], Nearest: ['Payments'], OtherNamespaces: [] });
  expect(await explain('web')).toMatchObject({ Instances: [], Nearest: [], OtherNamespaces: ['team'] });
  expect(inShort(await explain('web?ns=team'))).toEqual([['b', true, true]]);
});

it('waits for the service that was asked for, and for no other', async () => {
  await instance('a', 'web');
  const { index } = await server.get('/v1/explain/service/web');
  const waiting = server.get<Explanation>(`/v1/explain/service/WEB?index=${index}&wait=30s`);
  let answered = false;
  void waiting.finally(() => {
    answered = true;
  });
  await instance('b', 'other');
  await new Promise((resolve) => setImmediate(resolve));
  expect(answered).toBe(false);
  await check('a', 'c', 'critical', { Output: 'gone' });
  const { json, index: next } = await waiting;
  expect(inShort(json)).toEqual([['a', false, false, 'check c is critical: gone']]);
  expect(next).toBeGreaterThan(index);
});
