import type { Command as Program } from 'commander';
import { CommandExit, type CommandIo } from './command.ts';
import type { HttpApi } from './http-api.ts';
import { digitsOf, fromBase64, type KvPair, kvPath, readPairs, valueBytes, withNumbers } from './kv-pairs.ts';
import { addExport, addImport } from './kv-transfer.ts';
import { json } from './output.ts';
import { type ClientFlags, command, program, subProgram, withApi, withClientFlags } from './program.ts';
import { readValue } from './values.ts';

interface GetFlags extends ClientFlags {
  base64?: boolean;
  detailed?: boolean;
  keys?: boolean;
  recurse?: boolean;
  separator: string;
}

interface PutFlags extends ClientFlags {
  acquire?: boolean;
  base64?: boolean;
  cas?: boolean;
  flags: string;
  modifyIndex?: string;
  release?: boolean;
  session?: string;
}

interface DeleteFlags extends ClientFlags {
  cas?: boolean;
  modifyIndex?: string;
  recurse?: boolean;
}

/** `lictor kv`: reads and writes keys. */
export const kvCommand = command({
  name: 'kv',
  summary: 'Read and write the key/value store',
  program(io) {
    const kv = program('lictor kv', 'Reads and writes the key/value store.', ['lictor kv get app/color'], io);
    addGet(kv, io);
    addPut(kv, io);
    addDelete(kv, io);
    addExport(kv, io);
    addImport(kv, io);
    return kv;
  },
});

function addGet(kv: Program, io: CommandIo): void {
  const examples = ['lictor kv get app/color', 'lictor kv get -recurse app/', 'lictor kv get -keys -separator="" app/'];
  withClientFlags(subProgram(kv, 'get', 'Prints a value, or what is below a prefix.', examples, io))
    .argument('[key]', 'the key, or with -recurse and -keys a prefix', '')
    .option('--base64', 'print values in base64')
    .option('--detailed', 'print indexes, flags and the session too')
    .option('--keys', 'print the keys below the prefix')
    .option('--recurse', 'print all keys with the prefix and their values')
    .option('--separator <text>', 'with -keys: print keys only up to this text', '/')
    .action((key: string, flags: GetFlags) => withApi(flags, io, (api) => get(api, key, flags, io)));
}

async function get(api: HttpApi, key: string, flags: GetFlags, io: CommandIo): Promise<void> {
  if (key === '' && !flags.recurse && !flags.keys) {
    throw new CommandExit(
      1,
      `Error! Missing KEY argument; give a key, or -recurse or -keys for all (${help('get', io)})`,
    );
  }
  if (flags.keys) {
    const query = { keys: '', separator: flags.separator };
    const answer = await api.send('GET', kvPath(key), { query, accept: [404] });
    const keys = answer.status === 404 ? [] : answer.json<string[]>();
    io.stdout.write(flags.format === 'json' ? json(keys) : keys.map((one) => `${one}\n`).join(''));
    return;
  }
  const pairs = await readPairs(api, key, flags.recurse ? { recurse: '' } : {});
  if (pairs.length === 0 && !flags.recurse) {
    throw new CommandExit(1, `Error! No key exists at: ${key}${await belowHint(api, key, io)}`);
  }
  if (flags.format === 'json') {
    const shownPairs = pairs.map(withNumbers);
    io.stdout.write(json(flags.recurse ? shownPairs : shownPairs[0]));
  } else if (flags.detailed) io.stdout.write(pairs.map((pair) => detailed(pair, flags)).join('\n'));
  else if (flags.recurse) {
    for (const pair of pairs)
      io.stdout.write(Buffer.concat([Buffer.from(`${pair.Key}:`), shown(pair, flags), NEWLINE]));
  } else io.stdout.write(Buffer.concat([shown(pairs[0]!, flags), NEWLINE]));
}

/** How to see what a key that does not exist is a folder of; empty when nothing is below it. */
async function belowHint(api: HttpApi, key: string, { invokedAs = 'lictor' }: CommandIo): Promise<string> {
  const folder = key.endsWith('/') ? key : `${key}/`;
  const query = { keys: '', separator: '/' };
  // A hint that cannot be had must not hide the answer.
  const answer = await api.send('GET', kvPath(folder), { query, accept: [404] }).catch(() => undefined);
  if (answer?.status !== 200) return '';
  return `; there are keys below it: '${invokedAs} kv get -recurse ${folder}' shows them and their values, -keys their names`;
}

function help(name: string, { invokedAs = 'lictor' }: CommandIo): string {
  return `see '${invokedAs} kv ${name} --help'`;
}

const NEWLINE = Buffer.from('\n');

function shown(pair: KvPair, { base64 }: GetFlags): Buffer {
  return base64 ? Buffer.from(pair.Value ?? '') : valueBytes(pair);
}

function detailed(pair: KvPair, flags: GetFlags): string {
  const rows = [
    ['CreateIndex', pair.CreateIndex],
    ['Flags', pair.Flags],
    ['Key', pair.Key],
    ['LockIndex', pair.LockIndex],
    ['ModifyIndex', pair.ModifyIndex],
    ['Session', pair.Session || '-'],
    ['Value', shown(pair, flags).toString()],
  ];
  return rows.map(([name, value]) => `${String(name).padEnd(17)}${value}\n`).join('');
}

function addPut(kv: Program, io: CommandIo): void {
  const examples = [
    'lictor kv put app/color blue',
    'lictor kv put app/config @config.json',
    'lictor kv put -cas -modify-index=844 app/color green',
    'lictor kv put -acquire -session=SESSION-ID app/leader me',
  ];
  withClientFlags(subProgram(kv, 'put', 'Writes a value: the text itself, @FILE, or - for input.', examples, io))
    .argument('<key>')
    .argument('[value]', 'empty when not given')
    .option('--acquire', 'lock the key; needs -session')
    .option('--base64', 'the value is given in base64')
    .option('--cas', 'write only if the key has -modify-index; 0 or none: only if it does not exist')
    .option('--flags <number>', 'a number to be kept with the value', '0')
    .option('--modify-index <number>', 'the index that -cas asks for')
    .option('--release', 'let go of the lock; needs -session')
    .option('--session <id>', 'the session that holds, or is to hold, the key')
    .action(async (key: string, value: string | undefined, flags: PutFlags) => {
      const body = await valueFor(value, flags, io);
      await withApi(flags, io, (api) => put(api, key, body, flags, io));
    });
}

async function valueFor(value: string | undefined, { base64 }: PutFlags, io: CommandIo): Promise<Buffer> {
  const given = value === undefined ? Buffer.alloc(0) : await readValue(value, io);
  if (!base64) return given;
  const bytes = fromBase64(given.toString().trim());
  if (bytes === undefined) throw new CommandExit(1, 'Error! Cannot base 64 decode data');
  return bytes;
}

async function put(api: HttpApi, given: string, body: Buffer, flags: PutFlags, io: CommandIo): Promise<void> {
  const key = given.replace(/^\//, '');
  const { acquire, release, session, cas } = flags;
  if ((acquire || release) && !session) {
    throw new CommandExit(1, 'Error! Missing -session (required with -acquire and -release)');
  }
  if ([acquire, release, cas].filter(Boolean).length > 1) {
    throw new CommandExit(1, 'Error! Give only one of -acquire, -release and -cas');
  }
  const done = await api.put<boolean>(kvPath(key), {
    query: {
      flags: digitsOf('-flags', flags.flags),
      cas: cas ? digitsOf('-modify-index', flags.modifyIndex ?? '0') : undefined,
      acquire: acquire ? session : undefined,
      release: release ? session : undefined,
    },
    body,
  });
  if (!done) {
    if (acquire) throw new CommandExit(1, 'Error! Did not acquire lock');
    if (release) throw new CommandExit(1, 'Error! Did not release lock');
    throw new CommandExit(1, `Error! Did not write to ${key}: CAS failed`);
  }
  const [text, name] = acquire
    ? ['Lock acquired on', 'Acquired']
    : release
      ? ['Lock released on', 'Released']
      : ['Data written to', 'Written'];
  io.stdout.write(flags.format === 'json' ? json({ [name]: key }) : `Success! ${text}: ${key}\n`);
}

function addDelete(kv: Program, io: CommandIo): void {
  const examples = ['lictor kv delete app/color', 'lictor kv delete -recurse app/'];
  withClientFlags(subProgram(kv, 'delete', 'Deletes a key, or everything below a prefix.', examples, io))
    .argument('[key]', 'the key, or with -recurse a prefix', '')
    .option('--cas', 'delete only if the key has -modify-index')
    .option('--modify-index <number>', 'the index that -cas asks for')
    .option('--recurse', 'delete all keys with the prefix')
    .action((key: string, flags: DeleteFlags) => withApi(flags, io, (api) => remove(api, key, flags, io)));
}

async function remove(api: HttpApi, given: string, flags: DeleteFlags, io: CommandIo): Promise<void> {
  const key = given.replace(/^\//, '');
  const { cas, recurse, modifyIndex } = flags;
  if (key === '' && !recurse) {
    throw new CommandExit(1, `Error! Missing KEY argument; give a key, or -recurse for all (${help('delete', io)})`);
  }
  if (cas && recurse) throw new CommandExit(1, 'Cannot specify both -cas and -recurse!');
  if (cas && !modifyIndex) throw new CommandExit(1, 'Must specify -modify-index with -cas!');
  if (!cas && modifyIndex) throw new CommandExit(1, 'Cannot specify -modify-index without -cas!');
  const query = { recurse: recurse ? '' : undefined, cas: cas ? digitsOf('-modify-index', modifyIndex!) : undefined };
  const done = await api.delete<boolean>(kvPath(key), { query });
  if (!done) throw new CommandExit(1, `Error! Did not delete key ${key}: CAS failed`);
  const text = recurse ? `Success! Deleted keys with prefix: ${key}\n` : `Success! Deleted key: ${key}\n`;
  io.stdout.write(flags.format === 'json' ? json(recurse ? { DeletedPrefix: key } : { Deleted: key }) : text);
}
