import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AwsV4Signer } from 'aws4fetch';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/processes/free-port.ts';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';
import { LICTOR_BIN, runLictor } from '../support/processes/run-lictor.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';
import { startTied, type TiedProcess } from '../support/processes/tied-process.ts';
import { describeReal } from '../support/require-real.ts';

const SCRIPT = fileURLToPath(new URL('../../scripts/install-moto', import.meta.url));
const MOTO = execFileSync(SCRIPT, ['--path'], { encoding: 'utf8' }).trim();
const WITHIN = { withinMs: 60_000 };
const NAME = /^consul-\d{19}\.snap$/;

let server: AgentProcess;
let folder: string;
const started: TiedProcess[] = [];
beforeAll(async () => {
  folder = tempFolder('snapshot-agent');
  server = await startServer();
  await write('/v1/kv/kept', 'x');
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((process) => process.kill()));
});
afterAll(async () => {
  await server.stop();
  removeFolder(folder);
});

async function write(path: string, body: string): Promise<void> {
  const { ok } = await fetch(`${server.url}${path}`, { method: 'PUT', body });
  expect(ok).toBe(true);
}

/** `lictor snapshot agent` as a process that stays. */
async function agent(name: string, args: readonly string[], env: Record<string, string> = {}): Promise<TiedProcess> {
  const process = await startTied({
    name,
    command: LICTOR_BIN,
    args: ['snapshot', 'agent', ...args],
    env: { CONSUL_HTTP_ADDR: server.url, ...env },
    logFile: join(folder, `${name}.log`),
  });
  started.push(process);
  return process;
}

const files = (path: string): string[] => (existsSync(path) ? readdirSync(path).sort() : []);

describe('scheduled snapshots in a folder', () => {
  it('are whole, keep their number, and leave other files alone', async () => {
    const path = join(folder, 'many');
    mkdirSync(path);
    writeFileSync(join(path, 'notes.txt'), 'mine');
    const process = await agent('many', ['-interval=1s', '-retain=2', `-local-path=${path}`]);
    await eventually(() => expect(process.logTail()).toMatch(/Removed snapshot (.|\n)*Removed snapshot /), WITHIN);
    await process.kill();
    const kept = files(path).filter((name) => NAME.test(name));
    // It may have been killed between storing and removing.
    expect(kept.length === 2 || kept.length === 3).toBe(true);
    expect(files(path)).toContain('notes.txt');
    for (const name of kept) {
      const { stdout, code } = await runLictor(['snapshot', 'inspect', '-kvdetails', join(path, name)]);
      expect([code, stdout.includes(' kept ')]).toEqual([0, true]);
    }
  }, 120_000);

  it('are taken by one of several agents; the other takes over when it ends, and the catalog shows who works', async () => {
    const path = join(folder, 'pair');
    const args = ['-interval=1s', `-local-path=${path}`, '-lock-key=pair/lock', '-service=pair'];
    const first = await agent('first', args);
    await eventually(() => expect(first.logTail()).toContain('Saved snapshot'), WITHIN);
    const second = await agent('second', args);
    await eventually(async () => {
      const checks = await server.get<{ Name: string; Status: string }[]>('/v1/health/checks/pair');
      expect(checks.map(({ Name, Status }) => `${Name}: ${Status}`).sort()).toEqual([
        'Consul Snapshot Agent Alive: passing',
        'Consul Snapshot Agent Alive: passing',
        'Consul Snapshot Agent Saving Snapshots: passing',
      ]);
    }, WITHIN);
    expect(second.logTail()).not.toContain('Obtained leadership');
    process.kill(first.pid, 'SIGTERM');
    expect((await first.exited).code).toBe(0);
    await eventually(() => expect(second.logTail()).toContain('Saved snapshot'), WITHIN);
    await eventually(async () => expect(await server.get('/v1/health/service/pair')).toHaveLength(1), WITHIN);
  }, 180_000);

  it('are one for -interval=0; a failure is an error, and nothing stays behind', async () => {
    const path = join(folder, 'once');
    const once = (...args: string[]) => runLictor(['snapshot', 'agent', '-interval=0', ...args], { agent: server });
    const { code, stdout } = await once(`-local-path=${path}`, '-name-prefix=mine');
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^Saved snapshot \d+ to .*once\n$/)]);
    expect(files(path)).toEqual([expect.stringMatching(/^mine-\d{19}\.snap$/)]);
    writeFileSync(join(folder, 'file'), '');
    const refused = await once(`-local-path=${join(folder, 'file', 'below')}`);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('below')]);
  }, 120_000);
});

describeReal('moto', existsSync(MOTO), 'scripts/install-moto', 'scheduled snapshots in an S3 storage', () => {
  const keys = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' };
  const s3 = async (port: number): Promise<TiedProcess> => {
    const logFile = join(folder, `moto-${port}.log`);
    const moto = await startTied({ name: 'moto', command: MOTO, args: ['-H', '127.0.0.1', '-p', `${port}`], logFile });
    started.push(moto);
    await eventually(async () => (await fetch(`http://127.0.0.1:${port}/moto-api/`)).ok, WITHIN);
    return moto;
  };
  const objects = async (port: number): Promise<string[]> => {
    const text = await (await fetch(`http://127.0.0.1:${port}/backups?list-type=2`)).text();
    return [...text.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key!);
  };
  const object = async (port: number, key: string): Promise<Buffer> => {
    const url = `http://127.0.0.1:${port}/backups/${key.split('/').map(encodeURIComponent).join('/')}`;
    const [accessKeyId, secretAccessKey] = ['id', 'secret'];
    const { headers } = await new AwsV4Signer({ url, accessKeyId, secretAccessKey, service: 's3' }).sign();
    const answer = await fetch(url, { headers });
    expect(answer.status).toBe(200);
    return Buffer.from(await answer.arrayBuffer());
  };
  const makeBucket = (port: number) => fetch(`http://127.0.0.1:${port}/backups`, { method: 'PUT' });

  it('are uploaded, tried again while the storage fails, kept in number, and can be restored', async () => {
    const port = await freePort();
    const args = [
      ...['-interval=1s', '-retain=2', '-max-failures=1000', '-lock-key=s3/lock'],
      ...['-aws-s3-bucket=backups', `-aws-s3-endpoint=http://127.0.0.1:${port}`, '-aws-s3-key-prefix=dc1/ü&lictor'],
    ];
    const process = await agent('s3', args, keys);
    await eventually(
      () => expect(process.logTail()).toMatch(/Snapshot failed \(2 in a row\): PUT http.*backups/),
      WITHIN,
    );
    await s3(port);
    await eventually(
      () => expect(process.logTail()).toMatch(/Snapshot failed.*: 404 NoSuchBucket.*check s3_bucket/),
      WITHIN,
    );
    await makeBucket(port);
    await eventually(() => expect(process.logTail()).toMatch(/Removed snapshot (.|\n)*Removed snapshot /), WITHIN);
    await process.kill();
    const stored = await objects(port);
    expect(stored.length === 2 || stored.length === 3).toBe(true);
    for (const key of stored) expect(key).toMatch(/^dc1\/ü&amp;lictor-\d{19}\.snap$/);
    const file = join(folder, 'from-s3.snap');
    writeFileSync(file, await object(port, stored[0]!.replace('&amp;', '&')));
    await write('/v1/kv/kept', 'later');
    const restored = await runLictor(['snapshot', 'restore', file], { agent: server });
    expect(restored).toEqual({ code: 0, stdout: 'Restored snapshot\n', stderr: '' });
    expect(await server.get('/v1/kv/kept')).toMatchObject([{ Value: Buffer.from('x').toString('base64') }]);
  }, 180_000);
});
