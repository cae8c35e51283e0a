import { describeClient } from '../support/clients/find-client.ts';
import { PrometheusProcess } from '../support/clients/prometheus.ts';
import { eventually } from '../support/eventually.ts';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';

/**
 * A real Prometheus discovers its targets with `consul_sd_configs`. It hands changes on every five seconds at two
 * places, and asks again 15 s after an error; its own list of targets is what is judged. That has no labels with
 * empty values, and only one target of a job for each address and port.
 */
const WITHIN = { withinMs: 90_000, everyMs: 200 };

let server: AgentProcess;
let prometheus: PrometheusProcess;

async function put(path: string, body?: unknown): Promise<void> {
  const response = await fetch(`${server.url}${path}`, { method: 'PUT', body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`PUT ${path}: ${response.status} ${await response.text()}`);
}

const register = (service: object) => put('/v1/agent/service/register', service);

/** Discovered labels of a job's targets, without those that Prometheus sets by itself; by instance. */
async function discovered(job: string): Promise<Record<string, Record<string, string>>> {
  const targets = await prometheus.targets(job);
  const own = (label: string) => label === '__address__' || label.startsWith('__meta_');
  return Object.fromEntries(
    targets.map(({ discoveredLabels }) => [
      discoveredLabels.__meta_consul_service_id!,
      Object.fromEntries(Object.entries(discoveredLabels).filter(([label]) => own(label))),
    ]),
  );
}

const idsOf = async (job: string) => Object.keys(await discovered(job)).sort();

/** Waits until the targets of a job are these instances. */
async function lists(job: string, ...ids: string[]): Promise<void> {
  await eventually(async () => expect([job, ...(await idsOf(job))]).toEqual([job, ...ids]), WITHIN);
}

const WEB_1 = {
  ID: 'web-1',
  Name: 'web',
  Tags: ['v1', 'edge'],
  Address: '127.0.0.2',
  Port: 9,
  Meta: { team: 'a', 'odd-key': 'x' },
  Check: { CheckID: 'web-1', TTL: '300s', Status: 'passing' },
};

/** What every instance on the server's own node has. */
const ON_SERVER = {
  __meta_consul_address: '127.0.0.1',
  __meta_consul_dc: 'dc1',
  __meta_consul_node: 'server-1',
  __meta_consul_metadata_rack: '7',
  __meta_consul_metadata_consul_version: expect.stringMatching(/^1\.\d+\.\d+$/),
  __meta_consul_tagged_address_lan: '127.0.0.1',
  __meta_consul_tagged_address_lan_ipv4: '127.0.0.1',
  __meta_consul_tagged_address_wan: '127.0.0.1',
  __meta_consul_tagged_address_wan_ipv4: '127.0.0.1',
};

const OUTSIDE = {
  Node: 'outside',
  Address: '127.0.0.3',
  NodeMeta: { rack: '8', zone: 'b' },
  TaggedAddresses: { wan: '127.0.0.4' },
  Service: { ID: 'db-1', Service: 'db', Port: 9, Tags: [] },
  Check: { CheckID: 'db', Name: 'db', ServiceID: 'db-1', Status: 'warning' },
};

function config(server: string): object {
  const discover = { server, refresh_interval: '1s' };
  const jobs: Record<string, object> = {
    all: discover,
    'web-v1': { ...discover, services: ['web'], tags: ['v1'], allow_stale: false },
    'web-and-db': { ...discover, services: ['web', 'db'] },
    'rack-8': { ...discover, node_meta: { rack: '8' } },
    filtered: { ...discover, filter: 'ServiceName matches "^(web|db)$" and "v1" in ServiceTags' },
    warning: { ...discover, services: ['web', 'db'], health_filter: 'Checks.Status == "warning"' },
    agents: { ...discover, services: ['lictor'] },
  };
  const scraped = { metrics_path: '/v1/agent/metrics', params: { format: ['prometheus'] }, scrape_interval: '1s' };
  return {
    scrape_configs: Object.entries(jobs).map(([name, consul]) => ({
      job_name: name,
      consul_sd_configs: [consul],
      ...(name === 'agents' ? scraped : {}),
    })),
  };
}

describeClient('prometheus', 'Prometheus with consul_sd_configs', (program) => {
  beforeAll(async () => {
    server = await startServer({ args: ['-node-meta=rack:7'] });
    await register(WEB_1);
    await register({ ID: 'web-2', Name: 'web', Tags: ['v2'], Port: 12 });
    await register({ ID: 'lictor', Name: 'lictor', Port: server.httpPort, Address: '127.0.0.1' });
    await put('/v1/catalog/register', OUTSIDE);
    prometheus = await PrometheusProcess.start(program, config(server.url.slice('http://'.length)));
  }, 120_000);
  afterAll(async () => {
    await prometheus?.stop();
    await server?.stop();
  });

  it('discovers every instance with all labels', async () => {
    await lists('all', 'consul', 'db-1', 'lictor', 'web-1', 'web-2');
    const all = await discovered('all');
    expect(all['web-1']).toEqual({
      ...ON_SERVER,
      __address__: '127.0.0.2:9',
      __meta_consul_service: 'web',
      __meta_consul_service_id: 'web-1',
      __meta_consul_service_address: '127.0.0.2',
      __meta_consul_service_port: '9',
      __meta_consul_service_metadata_team: 'a',
      __meta_consul_service_metadata_odd_key: 'x',
      __meta_consul_tags: ',v1,edge,',
      __meta_consul_health: 'passing',
    });
    expect(all['web-2']).toEqual({
      ...ON_SERVER,
      __address__: '127.0.0.1:12',
      __meta_consul_service: 'web',
      __meta_consul_service_id: 'web-2',
      __meta_consul_service_port: '12',
      __meta_consul_tags: ',v2,',
      __meta_consul_health: 'passing',
    });
    expect(all['db-1']).toEqual({
      __address__: '127.0.0.3:9',
      __meta_consul_address: '127.0.0.3',
      __meta_consul_dc: 'dc1',
      __meta_consul_node: 'outside',
      __meta_consul_metadata_rack: '8',
      __meta_consul_metadata_zone: 'b',
      __meta_consul_tagged_address_wan: '127.0.0.4',
      __meta_consul_service: 'db',
      __meta_consul_service_id: 'db-1',
      __meta_consul_service_port: '9',
      __meta_consul_tags: ',,',
      __meta_consul_health: 'warning',
    });
  }, 120_000);

  it('keeps to services, tags and metadata of nodes', async () => {
    await lists('web-and-db', 'db-1', 'web-1', 'web-2');
    await lists('web-v1', 'web-1');
    await lists('rack-8', 'db-1');
    // A filter of the catalog chooses services, all instances of which are then asked for.
    await lists('filtered', 'web-1', 'web-2');
    await lists('warning', 'db-1');
  }, 120_000);

  it("scrapes the agent's own metrics where it found them", async () => {
    await eventually(async () => (await prometheus.targets('agents'))[0]?.health === 'up', WITHIN);
    const query = encodeURIComponent('up{job="agents"}');
    const asked = async () => {
      const answer = (await (await fetch(`${prometheus.url}/api/v1/query?query=${query}`)).json()) as {
        data: { result: { value: [number, string] }[] };
      };
      return answer.data.result.map(({ value }) => value[1]);
    };
    await eventually(async () => expect(await asked()).toEqual(['1']), WITHIN);
  }, 120_000);

  it('follows what is added, changed and removed', async () => {
    await register({ ...WEB_1, Tags: ['v1', 'blue'], Meta: { team: 'b' }, Port: 10, Check: undefined });
    await put('/v1/agent/check/fail/web-1');
    await put('/v1/agent/service/deregister/web-2');
    await register({ ID: 'web-3', Name: 'web', Tags: ['v1'], Port: 13 });
    await put('/v1/agent/service/maintenance/web-3?enable=true');
    await register({ ID: 'cache-1', Name: 'cache', Port: 15 });
    await put('/v1/catalog/deregister', { Node: 'outside' });

    await lists('all', 'cache-1', 'consul', 'lictor', 'web-1', 'web-3');
    const changed = {
      ...ON_SERVER,
      __address__: '127.0.0.2:10',
      __meta_consul_service: 'web',
      __meta_consul_service_id: 'web-1',
      __meta_consul_service_address: '127.0.0.2',
      __meta_consul_service_port: '10',
      __meta_consul_service_metadata_team: 'b',
      __meta_consul_tags: ',v1,blue,',
      __meta_consul_health: 'critical',
    };
    await eventually(async () => expect((await discovered('all'))['web-1']).toEqual(changed), WITHIN);
    await eventually(
      async () => expect((await discovered('all'))['web-3']).toMatchObject({ __meta_consul_health: 'maintenance' }),
      WITHIN,
    );
    await lists('web-v1', 'web-1', 'web-3');
    await lists('web-and-db', 'web-1', 'web-3');
    await lists('rack-8');
    await lists('warning');
  }, 180_000);

  it('keeps its targets while the server is away, and follows it afterwards', async () => {
    await server.kill();
    // A while in which its queries fail.
    const failed = () => prometheus.process.log().includes('connection refused');
    await eventually(failed, WITHIN);
    expect(await idsOf('web-v1')).toEqual(['web-1', 'web-3']);
    await server.restart();
    await put('/v1/agent/service/deregister/web-3');
    await register({ ID: 'web-4', Name: 'web', Tags: ['v1'], Port: 14 });
    await lists('web-v1', 'web-1', 'web-4');
    await lists('all', 'cache-1', 'consul', 'lictor', 'web-1', 'web-4');
  }, 180_000);
});
