import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { RouteRequest } from '../../api/http/route.ts';
import { FakeClock } from '../../core/clock.ts';
import { routeRequest } from '../../test/support/route-request.ts';
import { HAND_ON_PATH } from './handed-requests.ts';
import { LeaderClient } from './leader-client.ts';

function request(method: 'GET' | 'PUT', path = '/v1/kv/a'): RouteRequest {
  return routeRequest(method, path, { body: Buffer.from(method === 'PUT' ? '{}' : '') });
}

const ROUTE = { path: '/v1/kv/*' };

describe('the client of the leader', () => {
  let leader: Server;
  let address: string;
  let arrived: Promise<ServerResponse>;
  let clock: FakeClock;
  let client: LeaderClient;

  beforeEach(async () => {
    let arrive: (response: ServerResponse) => void = () => {};
    arrived = new Promise((resolve) => {
      arrive = resolve;
    });
    // Takes requests, by HTTP only, and leaves the answer to the test, as one that was cut off never gives it.
    leader = createServer(({ url }, response) => {
      if (url === HAND_ON_PATH) response.writeHead(404).end();
      else arrive(response);
    });
    await new Promise<void>((resolve) => {
      leader.listen(0, '127.0.0.1', resolve);
    });
    address = `127.0.0.1:${(leader.address() as AddressInfo).port}`;
    clock = new FakeClock();
    client = new LeaderClient({ selfId: 'a', clock });
  });
  afterEach(async () => {
    await client.close();
    leader.closeAllConnections();
    await new Promise((resolve) => leader.close(resolve));
  });

  it('opens nothing more once it is closed', async () => {
    await client.close();
    let connections = 0;
    leader.on('connection', () => connections++);
    await expect(client.send(address, ROUTE, request('GET'))).rejects.toMatchObject({ code: 'shuttingDown' });
    expect(connections).toBe(0);
  });

  it.each(['/v1/kv/a', '/v1/catalog/register'])(
    'says of a write of %s that it is not known, soon after another one leads',
    async (path) => {
      const sent = client.send(address, ROUTE, request('PUT', path));
      sent.catch(() => {});
      await arrived;
      client.turnTo(address);
      await clock.advance(60_000);
      client.turnTo('127.0.0.1:1');
      await clock.advance(1000);
      await expect(sent).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringMatching(/another server leads; whether the write was done is not known: read before/),
      });
    },
  );

  it('lets a read be asked again elsewhere', async () => {
    const sent = client.send(address, ROUTE, request('GET'));
    await arrived;
    client.turnTo('127.0.0.1:1');
    await clock.advance(1000);
    expect(await sent).toMatchObject({ answered: false });
  });

  it('brings to its end an answer that has begun', async () => {
    const sent = client.send(address, ROUTE, request('GET'));
    const response = await arrived;
    response.write('one ');
    const { response: answer } = (await sent) as { response: { stream: NodeJS.ReadableStream } };
    client.turnTo('127.0.0.1:1');
    await clock.advance(60_000);
    response.end('two');
    expect(await text(answer.stream)).toBe('one two');
  });
});
