import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { kvKeyProblem } from '../../api/shapes/kv-key.ts';
import { parseGoDuration } from '../../core/duration.ts';
import { AppError, errorText } from '../../core/errors.ts';
import { nearest } from '../../core/nearest.ts';
import type { CommandIo } from '../command.ts';
import { readDefinitionFile } from '../definition-file.ts';
import type { ClientFlags } from '../program.ts';
import type { S3Settings } from './s3-target.ts';

/** What `lictor snapshot agent` does. */
export interface AgentSettings {
  /** 0: one snapshot, then the end. */
  readonly intervalMs: number;
  /** How many are kept; 0 for all. */
  readonly retain: number;
  readonly service: string;
  /** A duration of Consul's; '' or 0 never. */
  readonly deregisterAfter: string;
  /** The lock lies at `.lock` below it. Without slashes at its ends. */
  readonly lockKey: string;
  /** Failed snapshots in a row after which another agent may take over. */
  readonly maxFailures: number;
  readonly scratchPath: string;
  readonly namePrefix: string;
  readonly localPath: string;
  /** Undefined: the local folder. */
  readonly s3: S3Settings | undefined;
  /** How to reach the servers: the flags, else what the files say. */
  readonly client: ClientFlags;
}

type Kind = 'string' | 'boolean' | 'number' | 'duration';

/** Consul's keys, by block; its flags are named after them. */
const KEYS: Readonly<Record<string, Readonly<Record<string, Kind>>>> = {
  consul: {
    http_addr: 'string',
    token: 'string',
    datacenter: 'string',
    ca_file: 'string',
    ca_path: 'string',
    cert_file: 'string',
    key_file: 'string',
    tls_server_name: 'string',
  },
  snapshot: {
    interval: 'duration',
    retain: 'number',
    stale: 'boolean',
    service: 'string',
    deregister_after: 'duration',
    lock_key: 'string',
    max_failures: 'number',
    local_scratch_path: 'string',
    name_prefix: 'string',
  },
  local_storage: { path: 'string' },
  aws_storage: {
    access_key_id: 'string',
    secret_access_key: 'string',
    s3_region: 'string',
    s3_endpoint: 'string',
    s3_bucket: 'string',
    s3_key_prefix: 'string',
    s3_server_side_encryption: 'boolean',
    s3_static_snapshot_name: 'string',
    s3_enable_kms: 'boolean',
    s3_kms_key: 'string',
  },
};
/** Blocks of Consul's that have no meaning here. */
const PASSED_OVER = ['log', 'agent'];
const REFUSED: Readonly<Record<string, string>> = {
  azure_blob_storage: 'use aws_storage with an S3-compatible endpoint, or local_storage',
  google_storage: 'use aws_storage with s3_endpoint = "https://storage.googleapis.com" and HMAC keys',
};

type Value = string | number | boolean;
/** By `block.key`. */
export type Given = Readonly<Record<string, Value>>;

/** Reads configuration files and folders, the later ones over the earlier. @throws AppError `config` naming file and key. */
export async function readAgentFiles(
  files: readonly string[],
  folders: readonly string[],
  io: CommandIo,
): Promise<Given> {
  const given: Record<string, Value> = {};
  for (const path of [...files, ...folders.flatMap(filesOf)]) {
    const { name, value } = await readDefinitionFile(path, io);
    for (const [block, content] of Object.entries(value)) readBlock(name, block, content, given, io);
  }
  return given;
}

function filesOf(folder: string): string[] {
  try {
    const names = readdirSync(folder).filter((name) => /\.(json|hcl)$/.test(name));
    return names.sort().map((name) => join(folder, name));
  } catch (cause) {
    throw new AppError('config', `-config-dir=${folder}: ${errorText(cause)}`, { cause });
  }
}

function readBlock(file: string, block: string, content: unknown, given: Record<string, Value>, io: CommandIo): void {
  if (PASSED_OVER.includes(block)) {
    io.stderr.write(`${file}: ${block} has no meaning here and is passed over\n`);
    return;
  }
  if (REFUSED[block]) throw new AppError('config', `${file}: ${block} is not supported; ${REFUSED[block]}`);
  const keys = KEYS[block];
  if (!keys) throw new AppError('config', `${file}: there is no ${block}${meant(block, Object.keys(KEYS))}`);
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new AppError('config', `${file}: ${block} must be one block, e.g. ${block} { … }`);
  }
  for (const [key, value] of Object.entries(content)) {
    const kind = keys[key];
    if (!kind) throw new AppError('config', `${file}: there is no ${block}.${key}${meant(key, Object.keys(keys))}`);
    given[`${block}.${key}`] = valueAs(`${file}: ${block}.${key}`, kind, value);
  }
}

function meant(word: string, words: readonly string[]): string {
  const near = nearest(word, words);
  return near ? `; did you mean ${near}?` : `; use ${words.join(', ')}`;
}

function valueAs(name: string, kind: Kind, value: unknown): Value {
  const wrong = (right: string) => new AppError('config', `${name} = ${JSON.stringify(value)}: use ${right}`);
  if (kind === 'boolean') {
    if (value === true || value === 'true') return true;
    if (value === false || value === 'false') return false;
    throw wrong('true or false');
  }
  if (kind === 'number') {
    const number = typeof value === 'string' && value !== '' ? Number(value) : value;
    if (typeof number === 'number' && Number.isInteger(number) && number >= 0 && number <= 1_000_000) return number;
    throw wrong('a whole number from 0');
  }
  if (typeof value !== 'string' && !(kind === 'duration' && value === 0)) throw wrong('a text');
  if (kind === 'duration') {
    const ms = parseGoDuration(String(value));
    if (ms === undefined || ms < 0) throw wrong('a duration such as 30m, or 0');
  }
  return String(value);
}

/** A flag such as `-aws-s3-bucket` and the key that it stands for. */
export const AGENT_FLAGS: readonly { flag: string; key: string; value: string; text: string }[] = [
  {
    flag: 'interval',
    key: 'snapshot.interval',
    value: 'duration',
    text: 'time between snapshots; 0 takes one and ends (default 1h)',
  },
  {
    flag: 'retain',
    key: 'snapshot.retain',
    value: 'number',
    text: 'how many snapshots are kept; 0 for all (default 30)',
  },
  {
    flag: 'service',
    key: 'snapshot.service',
    value: 'name',
    text: 'name under which the agent registers itself (default consul-snapshot)',
  },
  {
    flag: 'deregister-after',
    key: 'snapshot.deregister_after',
    value: 'duration',
    text: 'when a dead agent’s registration is removed (default 72h)',
  },
  {
    flag: 'lock-key',
    key: 'snapshot.lock_key',
    value: 'prefix',
    text: 'lock by which one of several agents works (default consul-snapshot/lock)',
  },
  {
    flag: 'max-failures',
    key: 'snapshot.max_failures',
    value: 'number',
    text: 'failed snapshots in a row after which another agent may take over (default 3)',
  },
  {
    flag: 'local-scratch-path',
    key: 'snapshot.local_scratch_path',
    value: 'folder',
    text: 'where a snapshot is verified before it is stored (default: the system’s)',
  },
  {
    flag: 'name-prefix',
    key: 'snapshot.name_prefix',
    value: 'prefix',
    text: 'beginning of the names in a folder (default consul)',
  },
  { flag: 'local-path', key: 'local_storage.path', value: 'folder', text: 'folder for the snapshots (default .)' },
  { flag: 'aws-access-key-id', key: 'aws_storage.access_key_id', value: 'id', text: 'access key (AWS_ACCESS_KEY_ID)' },
  {
    flag: 'aws-secret-access-key',
    key: 'aws_storage.secret_access_key',
    value: 'key',
    text: 'secret key (AWS_SECRET_ACCESS_KEY)',
  },
  {
    flag: 'aws-s3-region',
    key: 'aws_storage.s3_region',
    value: 'region',
    text: 'region of the bucket (AWS_REGION; default us-east-1)',
  },
  {
    flag: 'aws-s3-endpoint',
    key: 'aws_storage.s3_endpoint',
    value: 'url',
    text: 'URL of an S3-compatible storage (default: Amazon’s)',
  },
  { flag: 'aws-s3-bucket', key: 'aws_storage.s3_bucket', value: 'name', text: 'bucket for the snapshots' },
  {
    flag: 'aws-s3-key-prefix',
    key: 'aws_storage.s3_key_prefix',
    value: 'prefix',
    text: 'beginning of the keys in the bucket (default consul-snapshot)',
  },
  {
    flag: 'aws-s3-static-snapshot-name',
    key: 'aws_storage.s3_static_snapshot_name',
    value: 'key',
    text: 'one key for every snapshot, in place of the one before',
  },
  { flag: 'aws-s3-kms-key', key: 'aws_storage.s3_kms_key', value: 'id', text: 'key of the -aws-s3-enable-kms' },
];
export const AGENT_SWITCHES: readonly { flag: string; key: string; text: string }[] = [
  {
    flag: 'aws-s3-server-side-encryption',
    key: 'aws_storage.s3_server_side_encryption',
    text: 'let the storage encrypt what it keeps',
  },
  {
    flag: 'aws-s3-enable-kms',
    key: 'aws_storage.s3_enable_kms',
    text: 'let the storage encrypt with a key of its key management',
  },
];

/** Flags over files over environment over defaults. @throws AppError `config` naming what is wrong. */
export function agentSettings(
  flags: Readonly<Record<string, unknown>> & ClientFlags,
  files: Given,
  env: CommandIo['env'],
): AgentSettings {
  const given: Record<string, Value> = { ...files };
  for (const { flag, key } of [...AGENT_FLAGS, ...AGENT_SWITCHES]) {
    const value = flags[flag.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())];
    if (value === undefined) continue;
    const [block, name] = key.split('.') as [string, string];
    given[key] = valueAs(`-${flag}`, KEYS[block]![name]!, value);
  }
  const text = (key: string, otherwise: string): string => String(given[key] ?? otherwise);
  const number = (key: string, otherwise: number): number => Number(given[key] ?? otherwise);
  const intervalMs = parseGoDuration(text('snapshot.interval', '1h'))!;
  if (intervalMs > 0 && intervalMs < 1000) throw new AppError('config', '-interval: from 1s on, or 0 for one snapshot');
  return {
    intervalMs,
    retain: number('snapshot.retain', 30),
    service: text('snapshot.service', 'consul-snapshot'),
    deregisterAfter: text('snapshot.deregister_after', '72h'),
    lockKey: lockKey(text('snapshot.lock_key', 'consul-snapshot/lock')),
    maxFailures: Math.max(1, number('snapshot.max_failures', 3)),
    scratchPath: text('snapshot.local_scratch_path', ''),
    namePrefix: text('snapshot.name_prefix', 'consul'),
    localPath: text('local_storage.path', '.'),
    s3: s3Settings(given, env),
    client: clientFlags(flags, given),
  };
}

/** @throws AppError `config` for one that no path can name: the lock could never be taken. */
function lockKey(given: string): string {
  const key = given.replace(/^\/+|\/+$/g, '');
  const problem = kvKeyProblem(key);
  if (problem !== undefined) throw new AppError('config', `snapshot.lock_key (-lock-key): the key ${problem}`);
  return key;
}

function s3Settings(given: Given, env: CommandIo['env']): S3Settings | undefined {
  if (!Object.keys(given).some((key) => key.startsWith('aws_storage.'))) return undefined;
  const of = (key: string, ...names: string[]): string =>
    String(given[`aws_storage.${key}`] || names.map((name) => env[name]).find(Boolean) || '');
  const bucket = of('s3_bucket');
  if (bucket === '') throw new AppError('config', 'aws_storage.s3_bucket (-aws-s3-bucket): name the bucket');
  const endpoint = of('s3_endpoint');
  if (endpoint !== '' && !/^https?:\/\/[^/]+/.test(endpoint)) {
    throw new AppError(
      'config',
      `aws_storage.s3_endpoint = ${endpoint}: use a URL such as https://minio.example.org:9000`,
    );
  }
  const accessKeyId = of('access_key_id', 'AWS_ACCESS_KEY_ID');
  const secretAccessKey = of('secret_access_key', 'AWS_SECRET_ACCESS_KEY');
  if (accessKeyId === '' || secretAccessKey === '') {
    throw new AppError(
      'config',
      'aws_storage.access_key_id and secret_access_key (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY): give both',
    );
  }
  const kms = given['aws_storage.s3_enable_kms'] === true;
  if (kms && of('s3_kms_key') === '')
    throw new AppError('config', 'aws_storage.s3_enable_kms needs aws_storage.s3_kms_key');
  return {
    accessKeyId,
    secretAccessKey,
    sessionToken: env.AWS_SESSION_TOKEN ?? '',
    region: of('s3_region', 'AWS_REGION', 'AWS_DEFAULT_REGION') || 'us-east-1',
    bucket,
    keyPrefix: String(given['aws_storage.s3_key_prefix'] ?? 'consul-snapshot'),
    endpoint,
    serverSideEncryption: given['aws_storage.s3_server_side_encryption'] === true,
    kmsKey: kms ? of('s3_kms_key') : '',
    staticName: of('s3_static_snapshot_name'),
  };
}

function clientFlags(flags: ClientFlags, given: Given): ClientFlags {
  const of = (key: string): string | undefined => (given[`consul.${key}`] as string | undefined) || undefined;
  const files = {
    httpAddr: of('http_addr'),
    token: of('token'),
    datacenter: of('datacenter'),
    caFile: of('ca_file'),
    caPath: of('ca_path'),
    clientCert: of('cert_file'),
    clientKey: of('key_file'),
    tlsServerName: of('tls_server_name'),
    stale: given['snapshot.stale'] === true ? true : undefined,
  };
  const set = (of: object) => Object.entries(of).filter(([, value]) => value !== undefined);
  return Object.fromEntries([...set(files), ...set(flags)]) as unknown as ClientFlags;
}
