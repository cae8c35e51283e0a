import type { Command as Program } from 'commander';
import { bigJson } from '../api/shapes/kv.ts';
import { kvKeyProblem } from '../api/shapes/kv-key.ts';
import { AppError } from '../core/errors.ts';
import { CommandExit, type CommandIo } from './command.ts';
import type { HttpApi } from './http-api.ts';
import { digitsOf, fromBase64, kvPath, parsePairs, readPairs } from './kv-pairs.ts';
import { json } from './output.ts';
import { type ClientFlags, subProgram, withApi, withClientFlags } from './program.ts';
import { readValue } from './values.ts';

/** `kv export`. */
export function addExport(kv: Program, io: CommandIo): void {
  const examples = ['lictor kv export > all.json', 'lictor kv export app/'];
  withClientFlags(subProgram(kv, 'export', 'Prints all keys with a prefix as JSON for kv import.', examples, io))
    .argument('[prefix]', 'all keys when not given', '')
    .action(async (prefix: string, flags: ClientFlags) => {
      const pairs = await withApi(flags, io, (api) => readPairs(api, prefix, { recurse: '' }));
      const rows = pairs.map(({ Key, Flags, Value }) => {
        const fields = [
          `"key": ${JSON.stringify(Key)}`,
          `"flags": ${Flags}`,
          `"value": ${JSON.stringify(Value ?? '')}`,
        ];
        return `\t{\n\t\t${fields.join(',\n\t\t')}\n\t}`;
      });
      io.stdout.write(rows.length === 0 ? '[]\n' : `[\n${rows.join(',\n')}\n]\n`);
    });
}

interface Exported {
  key?: unknown;
  flags?: unknown;
  value?: unknown;
}

/** `kv import`: keys that no path can name, too, since an export may have them. */
export function addImport(kv: Program, io: CommandIo): void {
  const examples = ['lictor kv import @all.json', 'lictor kv import -prefix=copy/ -'];
  withClientFlags(subProgram(kv, 'import', 'Writes the keys of an export: JSON itself, @FILE or -.', examples, io))
    .argument('<data>')
    .option('--prefix <prefix>', 'put before each key', '')
    .action(async (data: string, flags: ClientFlags & { prefix: string }) => {
      const entries = exported((await readValue(data, io)).toString()).map((entry) => ({
        ...entry,
        key: `${flags.prefix}${entry.key}`,
      }));
      await withApi(flags, io, async (api) => {
        for (const entry of entries) {
          await write(api, entry);
          if (flags.format !== 'json') io.stdout.write(`Imported: ${entry.key}\n`);
        }
      });
      if (flags.format === 'json') io.stdout.write(json({ Imported: entries.map(({ key }) => key) }));
    });
}

interface Entry {
  readonly key: string;
  /** Their digits. */
  readonly flags: string;
  readonly body: Buffer;
}

async function write(api: HttpApi, { key, flags, body }: Entry): Promise<void> {
  if (key.startsWith('/') || kvKeyProblem(key) !== undefined) return writeByTxn(api, { key, flags, body });
  if (!(await api.put<boolean>(kvPath(key), { query: { flags }, body }))) throw notWritten(key, '');
}

/** By a transaction, whose body names the key: a path would name another one. */
async function writeByTxn(api: HttpApi, { key, flags, body }: Entry): Promise<void> {
  const set = { Verb: 'set', Key: key, Flags: bigJson(BigInt(flags)), Value: body.toString('base64') };
  const answer = await api.send('PUT', '/v1/txn', { json: [{ KV: set }], accept: [409] });
  if (answer.status === 409) {
    const { Errors } = answer.json<{ Errors: { What: string }[] | null }>();
    throw notWritten(key, (Errors ?? []).map(({ What }) => `: ${What}`).join(''));
  }
}

function notWritten(key: string, why: string): CommandExit {
  return new CommandExit(1, `Error! Failed writing data for key ${key}${why}`);
}

/** All of it is looked at before anything is written. @throws AppError `config` naming the entry. */
function exported(text: string): Entry[] {
  let entries: unknown;
  try {
    entries = parsePairs(text);
  } catch (cause) {
    throw new AppError('config', `the data is no JSON: ${(cause as Error).message}`, { cause });
  }
  if (!Array.isArray(entries)) throw new AppError('config', 'the data must be a list, as kv export prints it');
  return entries.map((entry: Exported, at) => {
    const { key, flags = '0', value = '' } = entry ?? {};
    if (typeof key !== 'string' || key === '' || !key.isWellFormed()) {
      throw new AppError('config', `[${at}].key: must be a text`);
    }
    const body = typeof value === 'string' ? fromBase64(value) : undefined;
    if (body === undefined) throw new AppError('config', `[${at}].value: must be base64 text`);
    return { key, flags: digitsOf(`[${at}].flags`, String(flags)), body };
  });
}
