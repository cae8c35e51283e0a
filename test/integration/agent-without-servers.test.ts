import type { Node } from '../../api/shapes/catalog.ts';
import { eventually } from '../support/eventually.ts';
import { type AgentProcess, startClientAgent, startServer } from '../support/processes/lictor.ts';
import { runLictor } from '../support/processes/run-lictor.ts';

const WITHIN = { withinMs: 60_000 };

describe('an agent in client mode that no server is named for', () => {
  let agent: AgentProcess;
  let server: AgentProcess | undefined;
  beforeAll(async () => {
    // A limit of tries counts only where there is somebody to try.
    agent = await startClientAgent(undefined, { node: 'alone', args: ['-retry-max=1', '-retry-interval=100ms'] });
  });
  afterAll(async () => {
    await agent.stop();
    await server?.stop();
  });
  const call = async (method: string, path: string, body?: string) => {
    const response = await fetch(`${agent.url}${path}`, { method, body, signal: AbortSignal.timeout(20_000) });
    return { status: response.status, text: await response.text() };
  };

  it('says so, keeps its services and checks, and refuses what needs a server in the words of Consul', async () => {
    expect(agent.log()).toContain('retry_join names no server');
    const service = JSON.stringify({ Name: 'web', Port: 80, Check: { TTL: '1m', Status: 'passing' } });
    expect((await call('PUT', '/v1/agent/service/register', service)).status).toBe(200);
    expect(await agent.get('/v1/agent/services')).toMatchObject({ web: { Port: 80 } });
    expect(await agent.get('/v1/agent/health/service/name/web')).toMatchObject([{ AggregatedStatus: 'passing' }]);
    for (const [method, path] of [
      ['GET', '/v1/status/leader'],
      ['GET', '/v1/catalog/nodes'],
      ['GET', '/v1/health/service/web?index=5&wait=1m'],
      ['GET', '/v1/agent/connect/ca/roots'],
      ['PUT', '/v1/kv/a'],
      ['PUT', '/v1/session/create'],
    ]) {
      expect([path, await call(method!, path!)]).toEqual([path, { status: 500, text: 'No known Consul servers' }]);
    }
  });

  it('is joined to one while it runs, and brings its services there', async () => {
    server = await startServer();
    const joined = await runLictor(['join', `127.0.0.1:${server.serverPort}`], { agent });
    expect(joined).toMatchObject({ code: 0, stdout: 'Successfully joined cluster by contacting 1 nodes.\n' });
    expect((await agent.get<Node[]>('/v1/catalog/nodes')).map(({ Node }) => Node)).toContain('server-1');
    await eventually(async () => {
      const found = await server!.get<object[]>('/v1/health/service/web?passing');
      expect(found).toMatchObject([{ Node: { Node: 'alone' }, Service: { Port: 80 } }]);
    }, WITHIN);
  });

  it('answers as Consul once its server has gone: clients try locks again on no other status', async () => {
    await server!.stop();
    server = undefined;
    for (const [method, path] of [
      ['GET', '/v1/status/leader'],
      ['GET', '/v1/kv/a?consistent'],
      ['PUT', '/v1/kv/a'],
      ['PUT', '/v1/session/create'],
    ]) {
      const text = expect.stringMatching(/^No known Consul servers \(http:.*ECONNREFUSED/);
      expect([path, await call(method!, path!)]).toEqual([path, { status: 500, text }]);
    }
  });
});
