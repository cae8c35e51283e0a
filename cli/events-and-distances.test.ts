import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { ORIGIN } from '../api/shapes/coordinate.ts';
import type { Command } from './command.ts';
import { eventCommand } from './event.ts';
import { rttCommand } from './rtt.ts';

const entry = (Node: string, x: number, Segment = '') => ({
  Node,
  Segment,
  Coord: { ...ORIGIN, Vec: [x, 0, 0, 0, 0, 0, 0, 0], Height: 0 },
});
const ANSWERS: Record<string, unknown> = {
  '/v1/event/fire/deploy': { ID: 'an-id' },
  '/v1/agent/self': { Config: { NodeName: 'n1', Datacenter: 'dc1' } },
  '/v1/coordinate/nodes': [entry('n1', 0), entry('n2', 0.00061), entry('other', 1, 'alpha')],
  '/v1/coordinate/datacenters': [
    { Datacenter: 'dc1', AreaID: 'WAN', Coordinates: [entry('n1.dc1', 0), entry('n2', 0.02)] },
  ],
};

describe('the commands for events and distances', () => {
  let server: Server;
  let asked: { url: string; body: string }[] = [];
  beforeAll(async () => {
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += String(chunk);
      });
      request.on('end', () => {
        asked.push({ url: request.url!, body });
        response.end(JSON.stringify(ANSWERS[new URL(request.url!, 'http://x').pathname]));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));
  beforeEach(() => {
    asked = [];
  });

  async function run(target: Command, ...argv: string[]): Promise<string> {
    let out = '';
    const sink = new Writable({
      write(chunk, _encoding, done) {
        out += String(chunk);
        done();
      },
    });
    const env = { CONSUL_HTTP_ADDR: `127.0.0.1:${(server.address() as AddressInfo).port}` };
    await target.run(argv, { stdout: sink, stderr: sink, env, signal: new AbortController().signal });
    return out;
  }

  it('fire an event with its filters and payload', async () => {
    const out = await run(eventCommand, '-name', 'deploy', '-service=web', '-tag', 'blue', '1.4.2');
    expect(out).toBe('Event ID: an-id\n');
    expect(asked).toEqual([{ url: '/v1/event/fire/deploy?service=web&tag=blue', body: '1.4.2' }]);
  });

  it('ask for the name that an event must have', async () => {
    await expect(run(eventCommand, 'payload')).rejects.toThrow(/--name/);
  });

  it('estimate the round trip between two nodes, the own one by default', async () => {
    expect(await run(rttCommand, 'n1', 'n2')).toBe('Estimated n1 <-> n2 rtt: 0.610 ms (using LAN coordinates)\n');
    expect(await run(rttCommand, 'n2')).toBe('Estimated n1 <-> n2 rtt: 0.610 ms (using LAN coordinates)\n');
    expect(await run(rttCommand, '-wan', 'n2.dc1')).toBe(
      'Estimated n1.dc1 <-> n2.dc1 rtt: 20.000 ms (using WAN coordinates)\n',
    );
  });

  it('say which node is not known, or that two are in different segments', async () => {
    await expect(run(rttCommand, 'nobody')).rejects.toThrow(/no LAN coordinate is known of node "nobody"/);
    await expect(run(rttCommand, 'n1', 'other')).rejects.toThrow(/no LAN area in common/);
  });
});
