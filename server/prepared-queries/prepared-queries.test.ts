// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the templates' own syntax
import type { HealthEntry } from '../../api/shapes/catalog.ts';
import { ORIGIN } from '../../api/shapes/coordinate.ts';
import type { PreparedQuery, QueryAnswer } from '../../api/shapes/prepared-query.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { jsonOf, RunningServer } from '../../test/support/running-server.ts';

describe('prepared queries', () => {
  let server: RunningServer;
  beforeEach(async () => {
    server = await RunningServer.start();
  });
  afterEach(() => server.stop());

  const create = async (body: object): Promise<string> =>
    ((await server.call('POST', '/v1/query', { body })).json as { ID: string } | undefined)?.ID ?? '';
  const execute = async (name: string, parameters = '', headers = {}) => {
    const answer = await server.call('GET', `/v1/query/${name}/execute${parameters}`, { headers });
    return jsonOf(answer) as QueryAnswer;
  };
  const nodesOf = (answer: { Nodes: readonly HealthEntry[] }) => answer.Nodes.map((entry) => entry.Node.Node);
  const template = (Name: string, Service: string) => ({
    Name,
    Template: { Type: 'name_prefix_match' },
    Service: { Service },
  });
  const place = async (Node: string, Address: string, x: number) => {
    await server.register({ Node, Address, Service: { ID: 'web', Service: 'web', Port: 1 } });
    const Coord = { ...ORIGIN, Vec: [x, 0, 0, 0, 0, 0, 0, 0] };
    await server.call('PUT', '/v1/coordinate/update', { body: { Node, Coord } });
  };

  it('are found by id, by name without case, then by the longest prefix of a template', async () => {
    const id = await create({ Name: 'Exact', Service: { Service: 'exact' } });
    await create(template('', 'all'));
    await create(template('ex', 'short'));
    await create(template('exa', 'long'));
    const service = async (name: string) => (await execute(name)).Service;
    expect(await service(id)).toBe('exact');
    expect(await service('exact')).toBe('exact');
    expect(await service('exact-not')).toBe('long');
    expect(await service('exit')).toBe('short');
    expect(await service('other')).toBe('all');
  });

  it('free their name when they are renamed or removed', async () => {
    const id = await create({ Name: 'a', Service: { Service: 's' } });
    await server.call('PUT', `/v1/query/${id}`, { body: { Name: 'b', Service: { Service: 's' } } });
    expect(await create({ Name: 'a', Service: { Service: 's' } })).not.toBe('');
    expect(await create({ Name: 'B', Service: { Service: 's' } })).toBe('');
    await server.call('DELETE', `/v1/query/${id}`);
    expect(await create({ Name: 'b', Service: { Service: 's' } })).not.toBe('');
  });

  it('created side by side under one name come to exist once', async () => {
    const made = await Promise.all([1, 2, 3].map(() => create({ Name: 'same', Service: { Service: 's' } })));
    expect(made.filter((id) => id !== '')).toHaveLength(1);
  });

  it('give the nearest instances first, to the node, the agent or the address that asks', async () => {
    await place('far', '10.0.0.3', 0.3);
    await place('near', '10.0.0.1', 0.1);
    await place('middle', '10.0.0.2', 0.2);
    await create({ Name: 'q', Service: { Service: 'web', Near: 'near' } });
    expect(nodesOf(await execute('q'))).toEqual(['near', 'middle', 'far']);
    expect(nodesOf(await execute('q', '?near=far&limit=2'))).toEqual(['far', 'middle']);
    expect(nodesOf(await execute('q', '?near=_ip', { 'x-forwarded-for': '10.0.0.3, 9.9.9.9' }))).toEqual([
      'far',
      'middle',
      'near',
    ]);
    expect(nodesOf(await execute('q', '?near=_agent', { 'x-lictor-agent': 'far' }))[0]).toBe('far');
    await place('far', '10.0.0.3', 0.1);
    expect(nodesOf(await execute('q', '?near=far&limit=2'))).toEqual(expect.arrayContaining(['far', 'near']));
  });

  it('give every order in turn when nothing is near', async () => {
    for (const [at, node] of ['a', 'b', 'c'].entries()) await place(node, `10.0.1.${at}`, 0);
    await create({ Name: 'q', Service: { Service: 'web' } });
    const first = new Set<string>();
    for (let i = 0; i < 40; i++) first.add(nodesOf(await execute('q'))[0]!);
    expect(first.size).toBeGreaterThan(1);
  });

  it('follow the changes of their service and of themselves', async () => {
    await place('a', '10.0.0.1', 0);
    const id = await create({ Name: 'q', Service: { Service: 'web' } });
    expect(nodesOf(await execute('q'))).toEqual(['a']);
    await place('b', '10.0.0.2', 0);
    expect(nodesOf(await execute('q')).sort()).toEqual(['a', 'b']);
    await server.call('PUT', `/v1/query/${id}`, { body: { Name: 'q', Service: { Service: 'none' } } });
    for (let i = 0; i < 20; i++) expect((await execute('q')).Service).toBe('none');
  });

  it('give the mesh endpoints of the service when asked for connect', async () => {
    await place('a', '10.0.0.1', 0);
    await create({ Name: 'q', Service: { Service: 'web' } });
    expect(nodesOf(await execute('q', '?connect=true'))).toEqual([]);
    const proxy = { DestinationServiceName: 'web' };
    await server.register({
      Node: 'p',
      Address: '10.0.0.9',
      Service: { ID: 'p', Service: 'web-proxy', Kind: 'connect-proxy', Port: 2, Proxy: proxy },
    });
    expect(nodesOf(await execute('q', '?connect=true'))).toEqual(['p']);
    await server.call('PUT', '/v1/catalog/deregister', { body: { Node: 'p' } });
    expect(nodesOf(await execute('q', '?connect=true'))).toEqual([]);
  });

  it('bound to a session end with it, and free their name', async () => {
    await server.register({ Node: 'n1', Address: '10.0.0.1' });
    const session = await server.call('PUT', '/v1/session/create', { body: { Node: 'n1', NodeChecks: [] } });
    const { ID: Session } = jsonOf(session) as { ID: string };
    const bound = { Name: 'bound', Session, Service: { Service: 's' } };
    const id = await create(bound);
    const anonymous = await create({ Session, Service: { Service: 's' } });
    await server.call('PUT', `/v1/session/destroy/${Session}`);
    for (const gone of [id, anonymous]) expect((await server.call('GET', `/v1/query/${gone}`)).status).toBe(404);
    expect((await server.call('POST', '/v1/query', { body: bound })).text).toBe(
      `raft apply failed: invalid session "${Session}"`,
    );
    expect(await create({ Name: 'bound', Service: { Service: 's' } })).not.toBe('');
  });

  it('of a service in a namespace of its own find it from everywhere', async () => {
    for (const Namespace of ['team', 'default']) {
      await server.register({ Node: Namespace, Address: '10.0.0.1', Namespace, Service: { Service: 's' } });
    }
    const id = await create({ Name: 'theirs', Service: { Service: 's', Namespace: 'Team' } });
    expect(nodesOf(await execute('theirs'))).toEqual(['team']);
    const { json } = await server.get<{ Service: { Namespace?: string } }[]>(`/v1/query/${id}`);
    expect(json[0]?.Service.Namespace).toBe('team');
    await create({ Name: 'anyones', Service: { Service: 's' } });
    expect(nodesOf(await execute('anyones'))).toEqual(['default']);
    expect(nodesOf(await execute('anyones', '?ns=team'))).toEqual(['team']);
  });

  it('are not written in another datacenter', async () => {
    const id = await create({ Service: { Service: 's' }, Name: 'here' });
    const answers = [
      await server.call('POST', '/v1/query?dc=dc9', { body: { Name: 'there', Service: { Service: 's' } } }),
      await server.call('PUT', `/v1/query/${id}?dc=dc9`, { body: { Name: 'there', Service: { Service: 's' } } }),
      await server.call('DELETE', `/v1/query/${id}?dc=dc9`),
    ];
    expect(answers.map(({ status, text }) => [status, text])).toEqual(Array(3).fill([500, 'No path to datacenter']));
    expect((await server.get<{ Name: string }[]>('/v1/query')).json.map(({ Name }) => Name)).toEqual(['here']);
  });

  it('are there after a restart', async () => {
    const store = openMemoryStore();
    const first = await RunningServer.start({ store });
    await first.call('POST', '/v1/query', { body: template('geo-', 'db-${name.suffix}') });
    await first.stop();
    const second = await RunningServer.start({ store });
    const answer = jsonOf(await second.call('GET', '/v1/query/geo-x/execute')) as QueryAnswer;
    expect(answer.Service).toBe('db-x');
    const listed = (await second.get<PreparedQuery[]>('/v1/query')).json;
    expect(listed).toHaveLength(1);
    await second.stop();
  });
});
