import { join } from 'node:path';
import { Agent, request } from 'undici';
import { queryBytes, readResponse } from '../support/dig.ts';
import { udpExchange } from '../support/dns-client.ts';
import { eventually } from '../support/eventually.ts';
import { type AgentProcess, startClientAgent, startServer } from '../support/processes/lictor.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';

/** client_addr with several addresses, and a socket file beside an address, in both modes of an agent. */
const folder = tempFolder('addresses');
let server: AgentProcess;
let client: AgentProcess;
beforeAll(async () => {
  server = await startServer({ args: ['-client=127.0.0.1 127.0.0.2'] });
  const http = `addresses { http = "127.0.0.1 unix://${join(folder, 'api.sock')}" dns = "127.0.0.2" }`;
  client = await startClientAgent(server, { node: 'n1', args: ['-hcl', http] });
});
afterAll(async () => {
  await client?.stop();
  await server?.stop();
  removeFolder(folder);
});

/** Names of the nodes that an answer of the server's DNS at this host shows. */
async function resolves(host: string, port: number): Promise<boolean> {
  const answer = await udpExchange(queryBytes('consul.service.consul', 'A', { id: 7 }), port, 2_000, host);
  return answer !== undefined && readResponse(answer).answer.answer.length > 0;
}

it('serves HTTP and DNS on each address of client_addr', async () => {
  for (const host of ['127.0.0.1', '127.0.0.2']) {
    const answer = await fetch(`http://${host}:${server.httpPort}/v1/status/leader`);
    expect([host, answer.status]).toEqual([host, 200]);
    await eventually(() => resolves(host, server.dnsPort), { withinMs: 20_000 });
  }
  const { DebugConfig: shown } = await server.get<{ DebugConfig: { HTTPAddrs: string[]; DNSAddrs: string[] } }>(
    '/v1/agent/self',
  );
  expect(shown.HTTPAddrs).toEqual(['127.0.0.1', '127.0.0.2'].map((host) => `tcp://${host}:${server.httpPort}`));
  expect(shown.DNSAddrs).toContain(`udp://127.0.0.2:${server.dnsPort}`);
});

it('serves an address and a socket file side by side, and DNS elsewhere', async () => {
  const dispatcher = new Agent({ connect: { socketPath: join(folder, 'api.sock') } });
  const { statusCode, body } = await request('http://localhost/v1/agent/self', { dispatcher });
  expect([statusCode, ((await body.json()) as { Config: { NodeName: string } }).Config.NodeName]).toEqual([200, 'n1']);
  await dispatcher.close();
  expect((await fetch(`${client.url}/v1/agent/self`)).status).toBe(200);
  await eventually(() => resolves('127.0.0.2', client.dnsPort), { withinMs: 20_000 });
  expect(await resolves('127.0.0.1', client.dnsPort)).toBe(false);
});
