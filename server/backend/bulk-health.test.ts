import { RunningServer } from '../../test/support/running-server.ts';

type Answer = Record<string, { Service: { ID: string } }[]>;

let server: RunningServer;
beforeEach(async () => {
  server = await RunningServer.start();
  await register('a', 'web', 'passing');
  await register('b', 'web', 'critical');
});
afterEach(() => server.stop());

const register = (ID: string, Service: string, Status: 'passing' | 'critical') =>
  server.register({
    Node: 'n',
    Address: '10.0.0.1',
    Service: { ID, Service, Tags: [ID] },
    Checks: [{ CheckID: `check-${ID}`, Name: 'c', ServiceID: ID, Status }],
  });
const ids = (answer: Answer) =>
  Object.entries(answer).map(([name, entries]) => [name, ...entries.map((entry) => entry.Service.ID)]);
const PATH = '/v1/health/services?service=web&service=api&service=web';

it('gives each service once, by name, with the filters of a single one', async () => {
  const read = async (more: string) => ids((await server.get<Answer>(PATH + more)).json);
  expect(await read('')).toEqual([['api'], ['web', 'a', 'b']]);
  expect(await read('&passing')).toEqual([['api'], ['web', 'a']]);
  expect(await read('&tag=b')).toEqual([['api'], ['web', 'b']]);
  expect(await read('&filter=b%20in%20Service.Tags')).toEqual([['api'], ['web', 'b']]);
  await expect(read('&filter=foo')).rejects.toThrow();
  expect(await read('&ns=other')).toEqual([['api'], ['web']]);
  // By the names as they were asked for.
  expect(await read('&service=WEB&service=Api')).toEqual([['Api'], ['WEB', 'a', 'b'], ['api'], ['web', 'a', 'b']]);
});

it('wakes for a service that was asked for, and for no other', async () => {
  const { index } = await server.get(PATH);
  let woken = false;
  const waiting = server.get<Answer>(`${PATH}&index=${index}&wait=30s`).finally(() => {
    woken = true;
  });
  await register('z', 'other', 'passing');
  await new Promise((resolve) => setImmediate(resolve));
  expect(woken).toBe(false);
  await register('c', 'api', 'passing');
  const { json, index: next } = await waiting;
  expect(ids(json)).toEqual([
    ['api', 'c'],
    ['web', 'a', 'b'],
  ]);
  expect(next).toBeGreaterThan(index);
});

it('names what is missing or too much', async () => {
  expect((await server.call('GET', '/v1/health/services')).text).toMatch(/\?service=NAME/);
  const many = Array.from({ length: 257 }, (_, at) => `service=s${at}`).join('&');
  await expect(server.call('GET', `/v1/health/services?${many}`)).rejects.toThrow('at most 256');
  await expect(server.call('GET', '/v1/health/services?service=*')).rejects.toThrow('/v1/stream/health');
});
