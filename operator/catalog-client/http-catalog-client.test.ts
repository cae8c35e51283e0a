import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SystemClock } from '../../core/clock.ts';
import { SeededRandom } from '../../core/random.ts';
import { FakeCatalogServer } from '../../test/support/fake-catalog.ts';
import { HttpCatalogClient, type HttpCatalogClientOptions } from './http-catalog-client.ts';
import { normaliseAddress, ServerHttp } from './server-http.ts';

const deps = { clock: new SystemClock(), random: new SeededRandom(1) };
const writer = { owner: 'kubernetes/x', epoch: 3, ref: 'Service/default/web', hash: 'abc' };
const registration = { Node: 'n1', Address: '10.0.0.1', Service: { ID: 'web-1', Service: 'web', Port: 80 } };
const closing: (() => Promise<unknown>)[] = [];
let fake: FakeCatalogServer;

function client(addresses: string[], options: HttpCatalogClientOptions = {}, attemptMs = 3_000): HttpCatalogClient {
  const http = new ServerHttp(deps, { addresses, attemptMs });
  closing.push(() => http.close());
  return new HttpCatalogClient({ ...deps, http }, options);
}

/** A server whose answers are given by `answer`. */
async function serve(answer: (path: string, count: number) => { status: number; text: string; headers?: object }) {
  let count = 0;
  const server: Server = createServer((request, response) => {
    const { status, text, headers } = answer(request.url ?? '', ++count);
    response.writeHead(status, { ...headers });
    response.end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, count: () => count };
}

beforeEach(async () => {
  fake = await FakeCatalogServer.start();
  closing.push(() => fake.stop());
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

describe('catalog client over HTTP', () => {
  it('registers, follows its own entries and deregisters', async () => {
    const one = client([fake.url]);
    const stop = new AbortController();
    const events = one.followOwned('kubernetes/x', stop.signal)[Symbol.asyncIterator]();
    const next = async () => (await events.next()).value;
    expect([(await next()).Type, (await next()).Type]).toEqual(['snapshot', 'synced']);
    await one.register(registration, writer);
    expect(await next()).toMatchObject({
      Type: 'upsert',
      Instance: { ServiceID: 'web-1', Hash: 'abc', Ref: writer.ref },
    });
    await one.deregister({ Node: 'n1', ServiceID: 'web-1' }, writer);
    expect(await next()).toMatchObject({ Type: 'delete', ServiceID: 'web-1' });
    stop.abort();
    expect((await events.next()).done).toBe(true);
  });

  it('claims epochs and gives the refusal of a lower one as it is', async () => {
    const one = client([fake.url]);
    expect(await one.ownerState('kubernetes/x')).toEqual({ Owner: 'kubernetes/x', Epoch: 0 });
    await one.claimEpoch({ Owner: 'kubernetes/x', Epoch: 5 });
    await expect(one.register(registration, writer)).rejects.toMatchObject({ code: 'staleEpoch' });
    expect(fake.catalog.writes).toEqual([]);
  });

  it('goes on with the next address when one cannot be reached or does not answer', async () => {
    const silent = await FakeCatalogServer.start();
    closing.push(() => silent.stop());
    silent.hang = true;
    const one = client(['127.0.0.1:1', silent.url, fake.url], {}, 1_000);
    await one.register(registration, writer);
    expect(fake.catalog.instances.size).toBe(1);
  });

  it('does not leave a server for the time that calls wait for each other', async () => {
    let answered = 0;
    const slow = createServer((_, response) => {
      deps.clock.after(200, () => response.end(`${++answered}`));
    });
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
    closing.push(() => new Promise((resolve) => slow.close(resolve)));
    const addresses = [`http://127.0.0.1:${(slow.address() as AddressInfo).port}`, fake.url];
    const http = new ServerHttp(deps, { addresses, attemptMs: 2_000, connections: 1 });
    closing.push(() => http.close());
    const one = new HttpCatalogClient({ ...deps, http });
    await Promise.all(Array.from({ length: 15 }, () => one.register(registration, writer)));
    expect(answered).toBe(15);
    expect(fake.catalog.instances.size).toBe(0);
  });

  it('tries again what may succeed, and not what was refused', async () => {
    const busy = await serve((_, count) =>
      count < 3 ? { status: 500, text: 'No cluster leader' } : { status: 200, text: 'true' },
    );
    await client([busy.url]).register(registration, writer);
    expect(busy.count()).toBe(3);
    const headers = { 'x-lictor-error': 'badRequest' };
    const refusing = await serve(() => ({ status: 400, text: 'Service.Port: must be at least 0', headers }));
    await expect(client([refusing.url]).register(registration, writer)).rejects.toMatchObject({
      code: 'badRequest',
      message: expect.stringContaining('Service.Port: must be at least 0'),
    });
    expect(refusing.count()).toBe(1);
  });

  it('ends a stream that is silent, and one with an endless line', async () => {
    const read = async (url: string, options: HttpCatalogClientOptions) => {
      for await (const _ of client([url], options).followOwned('kubernetes/x', new AbortController().signal));
    };
    await expect(read(fake.url, { streamIdleMs: 100 })).rejects.toMatchObject({ code: 'deadline' });
    const endless = await serve(() => ({ status: 200, text: `{"Type":"${'x'.repeat(5_000)}` }));
    await expect(read(endless.url, { maxLineBytes: 1_000 })).rejects.toMatchObject({ code: 'tooLarge' });
  });

  it.each([
    ['localhost:8500', 'http://localhost:8500'],
    ['https://lictor:8501/', 'https://lictor:8501'],
    ['http://[::1]:8500', 'http://[::1]:8500'],
  ])('takes the address %s', (given, expected) => expect(normaliseAddress(given)).toBe(expected));

  it.each(['', 'ftp://x', 'http://', 'http://user:secret@host'])('refuses the address "%s"', (address) => {
    expect(() => normaliseAddress(address)).toThrow(expect.objectContaining({ code: 'config' }));
    expect(() => normaliseAddress(address)).not.toThrow(/secret/);
  });
});
