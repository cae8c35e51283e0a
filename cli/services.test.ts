import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeApi } from '../test/support/command-run.ts';
import { withConsumers } from './services/export.ts';
import { servicesCommand } from './services.ts';

describe('lictor services', () => {
  let api: FakeApi;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lictor-services-'));
    api = await FakeApi.start({
      'PUT /v1/agent/service/register': ({ body }) => (body.includes('"bad"') ? { status: 400, body: 'no' } : {}),
      'PUT /v1/agent/service/deregister/a%2Fb': {},
      'PUT /v1/config': ({ url }) => ({ body: url.endsWith('cas=9') }),
    });
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await api.stop();
  });
  const run = (...argv: string[]) => api.run(servicesCommand, argv);
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  it('sends what flags describe', async () => {
    const { stdout } = await run(
      'register',
      '-name=web',
      '-id=w1',
      '-port=80',
      '-tag=a',
      '-tag=b',
      '-meta=k=v=w',
      '-tagged-address=wan=[2001:db8::1]:8080',
    );
    expect(stdout).toBe('Registered service: web\n');
    expect(JSON.parse(api.seen.at(-1)!.body)).toEqual({
      name: 'web',
      id: 'w1',
      port: 80,
      tags: ['a', 'b'],
      meta: { k: 'v=w' },
      tagged_addresses: { wan: { address: '2001:db8::1', port: 8080 } },
    });
  });

  it('sends the kind and the socket, by both names of its flag', async () => {
    await run('register', '-name=gate', '-kind=mesh-gateway', '-port=8443');
    expect(JSON.parse(api.seen.at(-1)!.body)).toEqual({ name: 'gate', kind: 'mesh-gateway', port: 8443 });
    for (const flag of ['-socket', '-socket-path']) {
      await run('register', '-name=local', `${flag}=/run/a.sock`);
      expect(JSON.parse(api.seen.at(-1)!.body)).toEqual({ name: 'local', socket_path: '/run/a.sock' });
    }
    await expect(run('register', '-name=x', '-kind=connect-proxy')).rejects.toThrow(
      /^flags: .*Proxy\.DestinationServiceName/s,
    );
    await expect(run('register', '-name=x', '-partition=p')).rejects.toThrow(/partitions are not supported/);
  });

  it('names the namespace of a definition, which is another one than that of the command', async () => {
    const path = file('spaced.hcl', 'service { name = "web" namespace = "shop" }\nservice { name = "db" }');
    await run('register', '-namespace=team', path);
    expect(api.seen.slice(-2).map(({ url }) => url)).toEqual([
      '/v1/agent/service/register?ns=shop',
      '/v1/agent/service/register?ns=team',
    ]);
  });

  it('calls for nothing when one of the files is wrong', async () => {
    const before = api.seen.length;
    const good = file('good.hcl', 'service { name = "web" }');
    const wrong = file('wrong.hcl', 'service { nam = "web" }');
    await expect(run('register', good, wrong)).rejects.toThrow(/wrong\.hcl: service: unknown field "nam"/);
    expect(api.seen.length).toBe(before);
  });

  it('names the service that is refused, after those that are done', async () => {
    const path = file('two.hcl', 'service { name = "ok" }\nservice { name = "bad" }\nservice { name = "never" }');
    await expect(run('register', path)).rejects.toThrow(/Error registering service "bad": .* 400 .*: no$/);
    expect(api.seen.at(-1)!.body).toContain('bad');
  });

  it('removes by id, in the namespace of the definition', async () => {
    expect((await run('deregister', '-id=a/b')).stdout).toBe('Deregistered service: a/b\n');
    const path = file('ns.hcl', 'service { name = "x" id = "a/b" namespace = "shop" }\nlog_level = "warn"');
    const { stdout, stderr } = await run('deregister', '-format=json', path);
    expect(api.seen.at(-1)!.url).toBe('/v1/agent/service/deregister/a%2Fb?ns=shop');
    expect(JSON.parse(stdout)).toEqual([{ ID: 'a/b', Name: 'x', Namespace: 'shop' }]);
    expect(stderr).toContain('log_level is not about services');
  });

  it.each([
    [['register'], /give files that define services, or -name/],
    [['register', '-id=x'], /-name must be given/],
    [['register', '-name=x', 'file'], /exclude each other/],
    [['register', '-name=x', '-port=http'], /use a whole number from 0 to 65535/],
    [['register', '-name=x', '-meta=k'], /write key=value/],
    [['register', '-name=x', '-tagged-address=wan=1.2.3.4'], /write name=address:port/],
    [['register', '/none/web.hcl'], /cannot read \/none\/web\.hcl/],
    [['deregister'], /either -id or the files/],
    [['deregister', '-id=x', 'file'], /either -id or the files/],
    [['export', '-name=web'], /consumer-peers/],
    [['export', '-name=web', '-consumer-peers=a,,b'], /names of peers/],
  ])('refuses %j', async (argv, message) => {
    await expect(run(...argv)).rejects.toThrow(message);
  });

  it('gives up an export that others overwrite all the time', async () => {
    await expect(run('export', '-name=web', '-consumer-peers=a')).rejects.toThrow(/changed by others/);
  });
});

describe('withConsumers', () => {
  const entry = { Kind: 'exported-services', Name: 'default' } as const;
  it('adds what is missing and keeps all else', () => {
    expect(withConsumers(entry, 'web', ['a', 'a']).Services).toEqual([{ Name: 'web', Consumers: [{ Peer: 'a' }] }]);
    const given = {
      ...entry,
      Services: [
        { Name: 'db', Consumers: [] },
        { Name: 'web', Consumers: [{ Peer: 'a' }] },
      ],
    };
    expect(withConsumers(given, 'web', ['b', 'a']).Services).toEqual([
      { Name: 'db', Consumers: [] },
      { Name: 'web', Consumers: [{ Peer: 'a' }, { Peer: 'b' }] },
    ]);
  });
});
