import { tmpdir } from 'node:os';
import { doesNotWait } from '../../api/http/route.ts';
import { decodeConfigEntry } from '../../api/shapes/config-entry/decode.ts';
import type { ConfigKind } from '../../api/shapes/config-entry/entry.ts';
import { FakeClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { SystemRandom } from '../../core/random.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { composeServer } from '../composition.ts';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** A server's entries over its own routes. */
async function entries() {
  const deps = { clock: new FakeClock(0), random: new SystemRandom(), metrics: new Metrics(), log: silentLogger };
  const server = composeServer(
    {
      datacenter: 'dc1',
      nodeName: 'n1',
      nodeAddress: '127.0.0.1',
      nodeId: deps.random.uuid(),
      consulVersion: '1.21.4',
      store: openMemoryStore(),
      spoolDir: tmpdir(),
    },
    deps,
  );
  const abort = new AbortController();
  await new Promise<void>((ready) => {
    const ended = server.runnable.run({ signal: abort.signal, ready }).catch(() => {});
    stops.push(() => {
      abort.abort();
      return ended;
    });
  });
  const call = async (method: string, path: string, body: unknown, rest = '') => {
    const route = server.routes.find((one) => one.method === method && one.path === path)!;
    const answer = await route.handle({
      method,
      path,
      params: { '*': rest },
      query: new URLSearchParams(),
      headers: {},
      body: Buffer.from(body === undefined ? '' : JSON.stringify(body)),
      remoteAddress: '',
      signal: abort.signal,
      hold: doesNotWait,
    });
    return answer.text ?? answer.json ?? JSON.parse(Buffer.from(answer.bytes!).toString());
  };
  return {
    put: (entry: object) => call('PUT', '/v1/config', entry),
    get: (kind: ConfigKind, name: string) => call('GET', '/v1/config/*', undefined, `${kind}/${name}`),
    remove: (kind: ConfigKind, name: string) => call('DELETE', '/v1/config/*', undefined, `${kind}/${name}`),
  };
}

const http = (Name: string) => ({ Kind: 'service-defaults', Name, Protocol: 'http' });

describe('configuration entries', () => {
  it('keeps the ModifyIndex of an entry that is written again as it was', async () => {
    const { put, get } = await entries();
    await put(http('web'));
    const { ModifyIndex, Hash } = await get('service-defaults', 'web');
    await put(http('web'));
    expect(await get('service-defaults', 'WEB')).toMatchObject({ ModifyIndex, Hash });
    await put({ ...http('web'), Meta: { a: 'b' } });
    expect((await get('service-defaults', 'web')).ModifyIndex).toBeGreaterThan(ModifyIndex);
  });

  it('refuses a change that breaks a chain two services away', async () => {
    const { put, remove } = await entries();
    for (const name of ['a', 'b', 'c']) await put(http(name));
    const split = (Name: string, to: string) => ({
      Kind: 'service-splitter',
      Name,
      Splits: [{ Weight: 100, Service: to }],
    });
    expect(await put(split('b', 'c'))).toBe(true);
    expect(await put(split('a', 'b'))).toBe(true);
    expect(await remove('service-defaults', 'c')).toContain('uses inconsistent protocols; service "c" has "tcp"');
    await remove('service-splitter', 'a');
    await remove('service-splitter', 'b');
    expect(await remove('service-defaults', 'c')).toEqual({});
  });

  it('refuses splitters and redirects that go in circles', async () => {
    const { put } = await entries();
    await put({ Kind: 'service-resolver', Name: 'a', Redirect: { Service: 'b' } });
    const circle = await put({ Kind: 'service-resolver', Name: 'b', Redirect: { Service: 'a' } });
    expect(circle).toContain('detected circular resolver redirect');
    for (const name of ['x', 'y']) await put(http(name));
    await put({ Kind: 'service-splitter', Name: 'x', Splits: [{ Weight: 100, Service: 'y' }] });
    const splits = await put({ Kind: 'service-splitter', Name: 'y', Splits: [{ Weight: 100, Service: 'x' }] });
    expect(splits).toContain('detected circular reference');
  });

  it('refuses to take away what permissions need', async () => {
    const { put, remove } = await entries();
    await put(http('api'));
    const jwt = { Providers: [{ Name: 'okta' }] };
    const intentions = {
      Kind: 'service-intentions',
      Name: 'api',
      Sources: [{ Name: 'web', Permissions: [{ Action: 'allow', JWT: jwt }] }],
    };
    expect(await put(intentions)).toBe('referenced JWT provider does not exist. Provider Name: okta');
    await put({ Kind: 'jwt-provider', Name: 'okta', JSONWebKeySet: { Remote: { URI: 'https://okta.test/keys' } } });
    expect(await put(intentions)).toBe(true);
    expect(await remove('jwt-provider', 'okta')).toContain('cannot delete jwt provider "okta"');
    expect(await remove('service-defaults', 'api')).toContain('incompatible with L7 intentions permissions');
  });

  it('refuses an ingress listener whose protocol its services do not speak', async () => {
    const { put } = await entries();
    const gateway = {
      kind: 'ingress-gateway',
      name: 'gate',
      listeners: [{ port: 8080, protocol: 'http', services: [{ name: 'web' }] }],
    };
    expect(await put(gateway)).toContain('incompatible with listener protocol "http"');
    await put(http('web'));
    expect(await put(gateway)).toBe(true);
    expect(await put({ ...http('web'), Protocol: 'tcp' })).toContain('incompatible with listener protocol "http"');
  });
});

describe('decoding of configuration entries', () => {
  it('reads what HCL makes of blocks, numbers as texts, and durations', () => {
    const resolver = {
      kind: 'service-resolver',
      name: 'web',
      connect_timeout: 5_000_000_000,
      subsets: [{ v1: [{ only_passing: 'true' }] }],
    };
    expect(decodeConfigEntry(resolver)).toEqual({
      Kind: 'service-resolver',
      Name: 'web',
      ConnectTimeout: '5s',
      Subsets: { v1: { OnlyPassing: true } },
    });
  });

  it('names every field that is wrong', () => {
    const wrong = { Kind: 'service-resolver', Name: 'web', Bogus: 1, Redirect: { To: 'x' }, ConnectTimeout: 'soon' };
    expect(() => decodeConfigEntry(wrong)).toThrow(/3 errors occurred:.*"Bogus".*"Redirect.To".*ConnectTimeout/s);
  });
});
