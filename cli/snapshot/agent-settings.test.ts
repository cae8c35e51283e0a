import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeFolder, tempFolder } from '../../test/support/processes/temp-folder.ts';
import type { CommandIo } from '../command.ts';
import type { ClientFlags } from '../program.ts';
import { agentSettings, type Given, readAgentFiles } from './agent-settings.ts';

const folder = tempFolder('snapshot-settings');
afterAll(() => removeFolder(folder));
const io = { stderr: { write: () => true } } as unknown as CommandIo;

function read(name: string, text: string): Promise<Given> {
  writeFileSync(join(folder, name), text);
  return readAgentFiles([join(folder, name)], [], io);
}
const settings = (flags: Record<string, unknown>, files: Given = {}, env: CommandIo['env'] = {}) =>
  agentSettings({ format: 'pretty', ...flags } as ClientFlags & Record<string, unknown>, files, env);

it('has Consul’s defaults', () => {
  expect(settings({})).toMatchObject({
    intervalMs: 3_600_000,
    retain: 30,
    service: 'consul-snapshot',
    deregisterAfter: '72h',
    lockKey: 'consul-snapshot/lock',
    maxFailures: 3,
    localPath: '.',
    s3: undefined,
  });
});

it('takes a lock key with slashes at its ends', () => {
  expect(settings({ lockKey: '/backup/lock/' }).lockKey).toBe('backup/lock');
});

it('reads Consul’s keys from HCL and JSON; flags win, then files, then the environment', async () => {
  const text = `
    consul { http_addr = "10.0.0.1:8500"  token = "t" }
    snapshot { interval = "30m"  retain = 5  stale = true }
    aws_storage { s3_bucket = "b"  s3_region = "eu-central-1"  s3_endpoint = "http://minio:9000" }`;
  const env = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret', AWS_REGION: 'us-west-1' };
  const found = settings({ retain: '7', httpAddr: 'h:1' }, await read('a.hcl', text), env);
  expect(found).toMatchObject({
    intervalMs: 1_800_000,
    retain: 7,
    client: { httpAddr: 'h:1', token: 't', stale: true },
  });
  expect(found.s3).toMatchObject({
    bucket: 'b',
    region: 'eu-central-1',
    accessKeyId: 'id',
    keyPrefix: 'consul-snapshot',
  });
  expect(settings({}, await read('b.json', '{"local_storage": {"path": "/b"}}')).localPath).toBe('/b');
});

it.each([
  ['snapshot { intervall = "1h" }', /a\.hcl: there is no snapshot\.intervall; did you mean interval\?/],
  ['snapshots { }', /there is no snapshots; did you mean snapshot\?/],
  ['snapshot { retain = -1 }', /snapshot\.retain = -1: use a whole number from 0/],
  ['snapshot { interval = "soon" }', /snapshot\.interval = "soon": use a duration/],
  ['azure_blob_storage { }', /azure_blob_storage is not supported; use aws_storage/],
  ['snapshot = 3', /snapshot must be one block/],
])('names what is wrong in %s', async (text, message) => {
  await expect(read('a.hcl', text)).rejects.toThrow(message);
});

it.each([
  [{ interval: '1ms' }, /-interval: from 1s on/],
  [{ retain: 'x' }, /-retain = "x"/],
  [{ lockKey: 'a//b' }, /snapshot\.lock_key \(-lock-key\): the key "a\/\/b" has two slashes in a row/],
  [{ lockKey: 'a/../b' }, /-lock-key\): the key "a\/\.\.\/b" has a part "\.\."/],
  [{ awsS3Region: 'r' }, /s3_bucket \(-aws-s3-bucket\): name the bucket/],
  [{ awsS3Bucket: 'b' }, /AWS_ACCESS_KEY_ID/],
  [{ awsS3Bucket: 'b', awsS3Endpoint: 'minio:9000' }, /s3_endpoint = minio:9000: use a URL/],
])('names what is wrong in the flags %j', (flags, message) => {
  expect(() => settings(flags)).toThrow(message);
});
