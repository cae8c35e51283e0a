import { createPublicKey } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { SystemClock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import { SystemRandom } from '../core/random.ts';
import { createRoot, issueLeaf } from '../core/x509/certificates.ts';
import { generateKeyPem, newSerial, signingKeys } from '../core/x509/keys.ts';
import type { CommandIo } from './command.ts';
import { command, program, repeated, subProgram } from './program.ts';
import { readFileValue } from './values.ts';

interface CaFlags {
  days: string;
  domain: string;
  commonName?: string;
  clusterId?: string;
  nameConstraint?: boolean;
  additionalNameConstraint?: string[];
}

interface CertFlags {
  server?: boolean;
  client?: boolean;
  cli?: boolean;
  ca?: string;
  key?: string;
  dc: string;
  days: string;
  domain: string;
  node?: string;
  additionalDnsname?: string[];
  additionalIpaddress?: string[];
}

const DAY_MS = 86_400_000;
const KEY = { type: 'ec', bits: 256 } as const;
const SERVER_WARNING = `==> WARNING: Server Certificates grants authority to become a
    server and access all state in the cluster including root keys
    and all ACL tokens. Do not distribute them to production hosts
    that are not server nodes. Store them as securely as CA keys.
`;

/** `lictor tls ca create`, `lictor tls cert create`: files for the `tls` section of agents, made on this machine. */
export const tlsCommand = command({
  name: 'tls',
  summary: 'Make certificates for servers and agents, offline',
  program(io) {
    const first = 'lictor tls ca create';
    const root = program('lictor tls', 'Certificates for servers and agents, made on this machine.', [first], io);
    const ca = subProgram(root, 'ca', 'The authority of these certificates.', [first], io);
    subProgram(ca, 'create', 'Makes an authority: DOMAIN-agent-ca.pem and its key.', [first], io)
      .option('--days <days>', 'days that it counts', '1825')
      .option('--domain <domain>', 'the DNS domain of the agents', 'consul')
      .option('--common-name <name>', 'its common name')
      .option('--cluster-id <id>', 'the UUID of the mesh that it shall also be the root of')
      .option(
        '--name-constraint',
        'its certificates may be for DOMAIN, localhost and what is added, no other DNS names',
      )
      .option('--additional-name-constraint <name>', 'a DNS name added to these; may be repeated', repeated)
      .action((flags: CaFlags) => createCa(flags, io));
    const example = 'lictor tls cert create -server';
    const cert = subProgram(root, 'cert', 'Certificates of an authority.', [example], io);
    const examples = [example, 'lictor tls cert create -client', 'lictor tls cert create -server -dc dc2 -node s1'];
    subProgram(cert, 'create', 'Makes a certificate: DC-KIND-DOMAIN-N.pem and its key.', examples, io)
      .option('--server', 'for a server')
      .option('--client', 'for an agent in client mode')
      .option('--cli', 'for people and programs that use the HTTP API')
      .option('--ca <path>', 'the authority’s certificate (default: DOMAIN-agent-ca.pem)')
      .option('--key <path>', 'the authority’s key (default: DOMAIN-agent-ca-key.pem)')
      .option('--dc <name>', 'datacenter', 'dc1')
      .option('--days <days>', 'days that it counts', '365')
      .option('--domain <domain>', 'the DNS domain of the agents', 'consul')
      .option('--node <name>', 'with -server: the node, as a further name')
      .option('--additional-dnsname <name>', 'a further DNS name; may be repeated', repeated)
      .option('--additional-ipaddress <address>', 'a further IP address; may be repeated', repeated)
      .action((flags: CertFlags) => createCert(flags, io));
    return root;
  },
});

async function createCa(flags: CaFlags, io: CommandIo): Promise<void> {
  const random = new SystemRandom();
  const files = { pem: `${flags.domain}-agent-ca.pem`, key: `${flags.domain}-agent-ca-key.pem` };
  for (const file of Object.values(files)) {
    if (existsSync(file))
      throw new AppError('config', `${file} is there already; move it away, or use another -domain`);
  }
  const keyPem = await generateKeyPem(KEY);
  const serial = newSerial(random);
  const pem = await createRoot({
    keys: await signingKeys(keyPem),
    commonName: flags.commonName ?? `Consul Agent CA ${BigInt(`0x${serial}`)}`,
    permittedDns: permitted(flags),
    names: flags.clusterId ? { uris: [`spiffe://${flags.clusterId}.${flags.domain}`] } : {},
    serial,
    ...validity(flags.days),
  });
  save(files, pem, keyPem, io);
}

/** Consul's: the added ones, the domain and localhost. @throws AppError `config` for what is no DNS name. */
function permitted({ nameConstraint, additionalNameConstraint = [], domain }: CaFlags): string[] {
  if (!nameConstraint) {
    if (additionalNameConstraint.length === 0) return [];
    throw new AppError('config', '-additional-name-constraint needs -name-constraint');
  }
  for (const name of additionalNameConstraint) {
    if (name.length <= 253 && /^\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*$/i.test(name)) continue;
    throw new AppError('config', `-additional-name-constraint=${name} is no DNS name`);
  }
  return [...additionalNameConstraint, domain, 'localhost'];
}

async function createCert(flags: CertFlags, io: CommandIo): Promise<void> {
  const kinds = (['server', 'client', 'cli'] as const).filter((kind) => flags[kind]);
  const [kind] = kinds;
  if (!kind || kinds.length > 1) throw new AppError('config', 'give one of -server, -client and -cli');
  if (flags.node && kind !== 'server') throw new AppError('config', '-node goes with -server only');
  const { domain, dc } = flags;
  const caFile = flags.ca ?? `${domain}-agent-ca.pem`;
  const keyFile = flags.key ?? `${domain}-agent-ca-key.pem`;
  const issuer = {
    certificate: readFileValue(caFile).toString(),
    keys: await signingKeys(readFileValue(keyFile).toString()),
  };
  const keyPem = await generateKeyPem(KEY);
  const name = `${kind}.${dc}.${domain}`;
  const node = flags.node ? [`${flags.node}.${name}`] : [];
  const pem = await issueLeaf({
    issuer,
    publicKey: createPublicKey(keyPem).export({ type: 'spki', format: 'der' }),
    commonName: name,
    names: {
      dns: [...(flags.additionalDnsname ?? []), ...node, name, 'localhost'],
      ips: [...(flags.additionalIpaddress ?? []), ...(kind === 'cli' ? [] : ['127.0.0.1'])],
    },
    serial: newSerial(new SystemRandom()),
    usages: kind === 'cli' ? ['client'] : ['server', 'client'],
    keyEncipherment: true,
    ...validity(flags.days),
  });
  if (kind === 'server') io.stdout.write(SERVER_WARNING);
  io.stdout.write(`==> Using ${caFile} and ${keyFile}\n`);
  let number = 0;
  while (existsSync(`${dc}-${kind}-${domain}-${number}.pem`)) number++;
  const base = `${dc}-${kind}-${domain}-${number}`;
  save({ pem: `${base}.pem`, key: `${base}-key.pem` }, pem, keyPem, io);
}

function validity(days: string): { notBeforeMs: number; notAfterMs: number } {
  if (!/^[1-9]\d{0,4}$/.test(days)) throw new AppError('config', '-days must be a whole number from 1 to 99999');
  const now = new SystemClock().now();
  return { notBeforeMs: now, notAfterMs: now + Number(days) * DAY_MS };
}

/** Never over a file that is there; the key for its owner alone. */
function save(files: { pem: string; key: string }, pem: string, keyPem: string, io: CommandIo): void {
  writeFileSync(files.pem, pem, { flag: 'wx', mode: 0o644 });
  io.stdout.write(`==> Saved ${files.pem}\n`);
  writeFileSync(files.key, keyPem, { flag: 'wx', mode: 0o600 });
  io.stdout.write(`==> Saved ${files.key}\n`);
}
