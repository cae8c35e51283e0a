import { execFile } from 'node:child_process';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../arch/sources.ts';
import { type IssuedCertificate, TestAuthority } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/processes/free-port.ts';
import { type AgentProcess, startClientAgent, startServer } from '../support/processes/lictor.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';

let folder: string;
let agent: AgentProcess;
let port: number;
let authority: TestAuthority;
const file = (name: string) => join(folder, name);

/** As renewal tools do it: never half a file. */
function save(name: string, pair: IssuedCertificate): void {
  for (const [path, text] of [
    [file(`${name}.pem`), pair.cert],
    [file(`${name}-key.pem`), pair.key],
  ] as const) {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  }
}

function configOf(verifyIncoming: boolean): string {
  return `
    ports { https = ${port} }
    tls {
      defaults { ca_file = "${file('ca.pem')}" }
      https {
        cert_file = "${file('server.pem')}"
        key_file = "${file('server-key.pem')}"
        verify_incoming = ${verifyIncoming}
      }
    }`;
}

beforeAll(async () => {
  folder = tempFolder('https');
  port = await freePort();
  authority = await TestAuthority.create();
  writeFileSync(file('ca.pem'), authority.pem);
  mkdirSync(file('cas'));
  writeFileSync(file('cas/ca.pem'), authority.pem);
  save('server', await authority.issue({ name: 'server.dc1.consul' }));
  save('client', await authority.issue({ name: 'cli.dc1.consul', usages: ['client'] }));
  writeFileSync(file('agent.hcl'), configOf(true));
  agent = await startServer({ args: ['-config-file', file('agent.hcl')] });
}, 60_000);
afterAll(async () => {
  await agent?.stop();
  removeFolder(folder);
});

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command as a user does, with this environment and nothing of the test's own. */
function lictor(args: string[], env: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const environment = { PATH: process.env.PATH ?? '', HOME: folder, ...env };
    execFile(join(ROOT, 'bin/lictor'), args, { env: environment }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

const address = () => `https://127.0.0.1:${port}`;
const trusted = () => ['-ca-file', file('ca.pem'), '-tls-server-name', 'server.dc1.consul'];
const known = () => ['-client-cert', file('client.pem'), '-client-key', file('client-key.pem')];

describe('the HTTPS port', () => {
  it('serves commands by their flags, and by the environment', async () => {
    const flags = ['members', '-http-addr', address(), ...trusted(), ...known()];
    expect(await lictor(flags)).toMatchObject({ code: 0, stdout: expect.stringContaining('server-1') });
    const environment = {
      CONSUL_HTTP_ADDR: `127.0.0.1:${port}`,
      CONSUL_HTTP_SSL: 'true',
      CONSUL_CAPATH: file('cas'),
      CONSUL_CLIENT_CERT: file('client.pem'),
      CONSUL_CLIENT_KEY: file('client-key.pem'),
      CONSUL_TLS_SERVER_NAME: 'server.dc1.consul',
    };
    expect(await lictor(['members'], environment)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('server-1'),
    });
    const { CONSUL_CAPATH: _, CONSUL_TLS_SERVER_NAME: __, ...careless } = environment;
    expect(await lictor(['members'], { ...careless, CONSUL_HTTP_SSL_VERIFY: 'false' })).toMatchObject({ code: 0 });
    const own = { ...careless, CONSUL_CACERT: file('ca.pem'), LICTOR_TLS_SERVER_NAME: 'server.dc1.consul' };
    expect(await lictor(['members'], own)).toMatchObject({ code: 0 });
  });

  it.each<[string, () => string[], RegExp]>([
    ['an authority that is not known', () => ['-http-addr', address()], /certificate.*-ca-file/],
    ['another name', () => ['-http-addr', address(), '-ca-file', file('ca.pem')], /-tls-server-name/],
    ['no client certificate', () => ['-http-addr', address(), ...trusted()], /-client-cert and -client-key/],
    ['HTTP to this port', () => ['-http-addr', `127.0.0.1:${port}`], /CONSUL_HTTP_SSL/],
    [
      'HTTPS to the other one',
      () => ['-http-addr', `https://127.0.0.1:${agent.httpPort}`],
      /it speaks no TLS\); write http:\/\//,
    ],
  ])('a command that meets %s says what to do', async (_what, flags, text) => {
    const { code, stderr } = await lictor(['members', ...flags()]);
    expect(code).toBe(1);
    expect(stderr).toMatch(text);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it('is told by agent/self, without its key', async () => {
    const { DebugConfig } = await agent.get<{ DebugConfig: object }>('/v1/agent/self');
    expect(DebugConfig).toMatchObject({
      HTTPSPort: port,
      HTTPSAddrs: [`tcp://127.0.0.1:${port}`],
      HTTPSHandshakeTimeout: '5s',
      TLS: {
        HTTPS: { CertFile: file('server.pem'), KeyFile: 'hidden', VerifyIncoming: true, TLSMinVersion: 'TLSv1_2' },
      },
    });
  });

  it('takes a renewed certificate on SIGHUP, and keeps the old one when the new one is wrong', async () => {
    const renewed = await TestAuthority.create('the next authority');
    const call = ['members', '-http-addr', address(), ...known(), '-tls-server-name', 'server.dc1.consul'];
    writeFileSync(file('next.pem'), renewed.pem);
    const pair = await renewed.issue({ name: 'server.dc1.consul' });
    save('server', { cert: pair.cert, key: (await renewed.issue()).key });
    expect(await lictor(['reload', '-http-addr', agent.url])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/server-key\.pem is not the key of the certificate in .*server\.pem/),
    });
    expect(await lictor([...call, '-ca-file', file('ca.pem')])).toMatchObject({ code: 0 });
    save('server', pair);
    agent.process.signal('SIGHUP');
    await eventually(async () => (await lictor([...call, '-ca-file', file('next.pem')])).code === 0, {
      withinMs: 30_000,
    });
  });

  it('stops asking for certificates on reload, and names what a restart needs', async () => {
    writeFileSync(file('agent.hcl'), configOf(false));
    expect(await lictor(['reload', '-http-addr', agent.url])).toMatchObject({ code: 0 });
    const flags = ['-ca-file', file('next.pem'), '-tls-server-name', 'server.dc1.consul'];
    expect(await lictor(['members', '-http-addr', address(), ...flags])).toMatchObject({ code: 0 });
  });

  it('is there for an agent in client mode too', async () => {
    const httpsPort = await freePort();
    const args = ['-https-port', String(httpsPort), '-hcl', configOf(false).replace(/ports .*/, '')];
    const client = await startClientAgent(agent, { node: 'client-1', args });
    try {
      const flags = ['-ca-file', file('next.pem'), '-tls-server-name', 'server.dc1.consul'];
      const nodes = await lictor(['catalog', 'nodes', '-http-addr', `https://127.0.0.1:${httpsPort}`, ...flags]);
      expect(nodes).toMatchObject({ code: 0, stdout: expect.stringContaining('server-1') });
    } finally {
      await client.stop();
    }
  });
});

describe('an agent whose certificate cannot be served', () => {
  it('does not start, and says which file and what to do', async () => {
    const { code, stderr } = await lictor([
      'agent',
      '-dev',
      '-http-port=-1',
      '-dns-port=-1',
      '-server-port=-1',
      `-https-port=${port}`,
      '-hcl',
      `tls { https { cert_file = "${file('gone.pem')}" key_file = "${file('server-key.pem')}" } }`,
    ]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/tls\.https\.cert_file: .*gone\.pem cannot be read \(there is no such file\)/);
  });

  it('starts with one that has expired, and says so', async () => {
    const expired = await authority.issue({ expired: true });
    save('old', expired);
    const old = `tls { https { cert_file = "${file('old.pem')}" key_file = "${file('old-key.pem')}" } }`;
    const args = [`-https-port=${await freePort()}`, '-hcl', old];
    const started = await startServer({ args });
    try {
      expect(started.log()).toMatch(/old\.pem expired at .*replace .*old\.pem and .*old-key\.pem, then reload/);
    } finally {
      await started.stop();
    }
  });
});
