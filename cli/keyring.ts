import { GOSSIP_KEY, isGossipKey } from '../api/shapes/keyring.ts';
import { AppError } from '../core/errors.ts';
import type { CommandIo } from './command.ts';
import { json } from './output.ts';
import { type ClientFlags, command, program, withApi, withClientFlags } from './program.ts';

/** The keys of one pool of agents in the answer of /v1/operator/keyring. */
interface Ring {
  readonly WAN: boolean;
  readonly Datacenter: string;
  readonly Segment?: string;
  /** By key: how many agents have it. */
  readonly Keys: Readonly<Record<string, number>> | null;
  readonly PrimaryKeys?: Readonly<Record<string, number>> | null;
  readonly NumNodes: number;
  readonly Messages?: Readonly<Record<string, string>> | null;
}

interface KeyringFlags extends ClientFlags {
  install?: string;
  use?: string;
  remove?: string;
  list?: boolean;
  listPrimary?: boolean;
  relayFactor?: string;
  localOnly?: boolean;
}

const ENDPOINT = '/v1/operator/keyring';
const CHANGES = {
  install: { method: 'POST', says: 'Installing new gossip encryption key...' },
  use: { method: 'PUT', says: 'Changing primary gossip encryption key...' },
  remove: { method: 'DELETE', says: 'Removing gossip encryption key...' },
} as const;
const MAX_RELAY = 5;

/** `lictor keyring`: Consul's command over the gossip keys of all agents. */
export const keyringCommand = command({
  name: 'keyring',
  summary: 'List and change gossip encryption keys',
  program(io) {
    return withClientFlags(
      program(
        'lictor keyring',
        'Lists and changes the gossip encryption keys of all agents: install a key everywhere, use it, then remove the old one.',
        [
          'lictor keyring -list',
          'lictor keyring -install "$(lictor keygen)"',
          'lictor keyring -use KEY',
          'lictor keyring -remove KEY',
        ],
        io,
      ),
    )
      .option('--install <key>', 'make a key known to all agents, so that it can be used')
      .option('--use <key>', 'encrypt with this key from now on; it has to be installed')
      .option('--remove <key>', 'take away a key that is not in use')
      .option('--list', 'all keys, and how many agents have them')
      .option('--list-primary', 'the keys in use, and by how many agents')
      .option('--relay-factor <count>', 'send answers over so many other agents, too: 0 to 5', '0')
      .option('--local-only', 'list the keys of this datacenter alone, without asking others')
      .action((flags: KeyringFlags) => run(flags, io));
  },
});

async function run(flags: KeyringFlags, io: CommandIo): Promise<void> {
  const wanted = (['install', 'use', 'remove', 'list', 'listPrimary'] as const).filter((name) => flags[name]);
  const [action] = wanted;
  if (action === undefined || wanted.length > 1) {
    throw new AppError('config', 'give exactly one of -install, -use, -remove, -list and -list-primary');
  }
  const relay = flags.relayFactor ?? '0';
  if (!/^[0-5]$/.test(relay))
    throw new AppError('config', `-relay-factor ${relay}: give a number from 0 to ${MAX_RELAY}`);
  const lists = action === 'list' || action === 'listPrimary';
  if (flags.localOnly && !lists) throw new AppError('config', '-local-only is for -list and -list-primary');
  const query = { 'relay-factor': relay === '0' ? undefined : relay };
  const pretty = flags.format !== 'json';
  if (lists) {
    if (pretty) io.stdout.write('==> Gathering installed encryption keys...\n');
    const rings = await withApi(flags, io, (api) =>
      api.get<readonly Ring[]>(ENDPOINT, { ...query, 'local-only': flags.localOnly ? 'true' : undefined }),
    );
    const keys = action === 'list' ? 'Keys' : 'PrimaryKeys';
    io.stdout.write(pretty ? rings.map((ring) => shown(ring, keys)).join('') : json(rings));
    return;
  }
  const key = flags[action]!;
  checkKey(action, key);
  const { method, says } = CHANGES[action];
  if (pretty) io.stdout.write(`==> ${says}\n`);
  await withApi(flags, io, (api) => api.send(method, ENDPOINT, { query, json: { Key: key } }));
  if (!pretty) io.stdout.write(json({ [action]: true }));
}

/** @throws AppError `config` naming the flag; never with the key, which is a secret. */
function checkKey(flag: string, key: string): void {
  if (isGossipKey(key)) return;
  throw new AppError('config', `-${flag}: a key is ${GOSSIP_KEY}; lictor keygen makes one`);
}

/** As Consul prints a ring: its name, then each key with how many of all agents have it. */
function shown(ring: Ring, which: 'Keys' | 'PrimaryKeys'): string {
  const segment = ring.Segment ? ` [${ring.Segment}]` : '';
  const name = ring.WAN ? 'WAN' : `${ring.Datacenter} (LAN)${segment}`;
  const said = Object.entries(ring.Messages ?? {}).map(([node, text]) => `  ===> ${node}: ${text}\n`);
  const keys = Object.entries(ring[which] ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return `\n${name}:\n${said.join('')}${keys.map(([key, count]) => `  ${key} [${count}/${ring.NumNodes}]\n`).join('')}`;
}
