import type { Command as Program } from 'commander';
import { decodeIntention, type Intention, type IntentionContent } from '../../api/shapes/intention.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { CommandIo } from '../command.ts';
import { readDefinitionFile } from '../definition-file.ts';
import type { HttpApi } from '../http-api.ts';
import { json } from '../output.ts';
import { keyValue } from '../pairs.ts';
import { type ClientFlags, subProgram, withApi, withClientFlags } from '../program.ts';
import { EXACT, INTENTIONS, intentionText, sourceOf } from './shown.ts';

interface CreateFlags extends ClientFlags {
  readonly allow?: boolean;
  readonly deny?: boolean;
  readonly file?: boolean;
  readonly meta?: Readonly<Record<string, string>>;
  readonly replace?: boolean;
}

/** An intention that is to be made, in the API's form. */
type Wanted = Pick<
  Intention,
  'SourceName' | 'SourcePeer' | 'DestinationName' | 'Action' | 'Permissions' | 'Description' | 'Meta'
>;

/** `intention create`. */
export function addCreate(parent: Program, io: CommandIo): void {
  const examples = [
    'lictor intention create web db',
    "lictor intention create -deny web '*'",
    'lictor intention create -replace -deny web db',
    'lictor intention create -meta=owner=shop web db',
    'lictor intention create -file web-to-db.json',
  ];
  const text = 'Makes an intention. One that is there already is an error, or with -replace changed.';
  withClientFlags(subProgram(parent, 'create', text, examples, io))
    .argument('<sourceAndDestination...>', 'the service that calls and the one that is called; with -file: files')
    .option('--allow', 'let connections in (the default)')
    .option('--deny', 'refuse connections')
    .option('--file', 'read intentions from files, in JSON as the API has them or in HCL; - is standard input')
    .option('--meta <key=value>', 'metadata; may be repeated', keyValue)
    .option('--replace', 'change the intention if there is one already')
    .action((args: string[], flags: CreateFlags) => create(args, flags, io));
}

async function create(args: readonly string[], flags: CreateFlags, io: CommandIo): Promise<void> {
  if (flags.allow && flags.deny) throw new AppError('config', 'Only one of -allow or -deny may be specified.');
  const wanted = flags.file ? await fromFiles(args, flags, io) : [fromFlags(args, flags)];
  await withApi(flags, io, async (api) => {
    for (const intention of wanted) {
      await make(api, intention, flags.replace ?? false);
      if (flags.format !== 'json') io.stdout.write(`Created: ${intentionText(intention)}\n`);
    }
  });
  if (flags.format === 'json') io.stdout.write(json(wanted));
}

function fromFlags(args: readonly string[], flags: CreateFlags): Wanted {
  if (args.length !== 2)
    throw new AppError('config', 'give two services: the one that calls and the one that is called');
  const [source, destination] = args as [string, string];
  const peer = /^peer:([^/]+)\/(.*)$/.exec(source);
  return {
    SourceName: peer?.[2] ?? source,
    ...(peer ? { SourcePeer: peer[1]! } : {}),
    DestinationName: destination,
    Action: flags.deny ? 'deny' : 'allow',
    ...(flags.meta ? { Meta: flags.meta } : {}),
  };
}

async function fromFiles(paths: readonly string[], flags: CreateFlags, io: CommandIo): Promise<Wanted[]> {
  if (flags.allow || flags.deny || flags.meta) {
    throw new AppError('config', '-file: the files say action and metadata; leave -allow, -deny and -meta out');
  }
  const wanted: Wanted[] = [];
  for (const path of paths) {
    const { name, value } = await readDefinitionFile(path, io);
    wanted.push(wantedOf(name, value));
  }
  return wanted;
}

/** Reads an intention by the rules of the API. @throws AppError `config` naming the file. */
export function wantedOf(file: string, value: object): Wanted {
  let content: IntentionContent;
  try {
    content = decodeIntention(Buffer.from(JSON.stringify(value)));
  } catch (cause) {
    const text = errorText(cause).replace(/^Request decod(e failed|ing failed): (json: )?/, '');
    throw new AppError('config', `${file}: ${text}`, { cause });
  }
  const { source, destination, given, meta } = content;
  if (source === '') throw new AppError('config', `${file}: SourceName must be given`);
  if (destination === '') throw new AppError('config', `${file}: DestinationName must be given`);
  return {
    SourceName: source,
    ...(given.Peer ? { SourcePeer: given.Peer } : {}),
    DestinationName: destination,
    ...(given.Action ? { Action: given.Action } : {}),
    ...(given.Permissions ? { Permissions: given.Permissions } : {}),
    ...(given.Description ? { Description: given.Description } : {}),
    ...(meta && Object.keys(meta).length > 0 ? { Meta: meta } : {}),
  };
}

async function make(api: HttpApi, wanted: Wanted, replace: boolean): Promise<void> {
  const source = sourceOf(wanted);
  const query = { source, destination: wanted.DestinationName };
  const what = `Error creating intention ${JSON.stringify(intentionText(wanted))}`;
  try {
    const answer = await api.send('GET', EXACT, { query, accept: [404] });
    const known = answer.status === 404 ? undefined : answer.json<Intention>();
    if (known && !replace)
      throw new AppError('conflict', `there is one already: ${intentionText(known)}; see -replace`);
    const { Meta, Action, Permissions, Description } = wanted;
    if (Meta === undefined) {
      await api.put(EXACT, { query, json: { Action, Permissions, Description, SourceType: 'consul' } });
    } else await makeWithMeta(api, wanted, known);
  } catch (cause) {
    const code = cause instanceof AppError ? cause.code : 'unavailable';
    throw new AppError(code, `${what}: ${errorText(cause)}`, { cause });
  }
}

/** Only the endpoints by id take metadata. */
async function makeWithMeta(api: HttpApi, wanted: Wanted, known: Intention | undefined): Promise<void> {
  const body = { ...wanted, SourceType: 'consul' };
  if (!known) await api.post(INTENTIONS, { json: body });
  else if (known.ID) await api.put(`${INTENTIONS}/${encodeURIComponent(known.ID)}`, { json: body });
  else {
    throw new AppError(
      'conflict',
      'the one that is there has no id and so takes no metadata; delete it, or write Meta into the service-intentions entry',
    );
  }
}
