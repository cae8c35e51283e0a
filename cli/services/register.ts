import { InvalidArgumentError, type Command as Program } from 'commander';
import { AppError, errorText } from '../../core/errors.ts';
import type { CommandIo } from '../command.ts';
import { readDefinitionFile } from '../definition-file.ts';
import type { HttpApi } from '../http-api.ts';
import { json } from '../output.ts';
import { keyValue, wholeNumber } from '../pairs.ts';
import { type ClientFlags, repeated, subProgram, withApi, withClientFlags } from '../program.ts';
import { checked, type ServiceDefinition, servicesOf } from './definitions.ts';

type TaggedAddresses = Readonly<Record<string, { readonly address: string; readonly port: number }>>;

interface RegisterFlags extends ClientFlags {
  readonly id?: string;
  readonly name?: string;
  readonly address?: string;
  readonly port?: number;
  readonly kind?: string;
  readonly socket?: string;
  readonly socketPath?: string;
  readonly tag?: readonly string[];
  readonly meta?: Readonly<Record<string, string>>;
  readonly taggedAddress?: TaggedAddresses;
}

/** Flags that describe a service; they and files exclude each other. */
const SERVICE_FLAGS = [
  'id',
  'name',
  'kind',
  'address',
  'port',
  'socket',
  'socketPath',
  'tag',
  'meta',
  'taggedAddress',
] as const;

/** `services register`: every file is checked before the first service is registered. */
export function addRegister(parent: Program, io: CommandIo): void {
  const examples = [
    'lictor services register web.hcl db.json',
    'lictor services register -name=web -port=8080 -tag=v1 -meta=team=shop',
    'lictor services register -name=web -tagged-address=wan=203.0.113.7:80',
    'cat web.json | lictor services register -',
  ];
  const text =
    'Registers services with the agent: those that files define in service or services, in HCL or JSON, or one by flags. All files are checked before the first service is registered.';
  withClientFlags(subProgram(parent, 'register', text, examples, io))
    .argument('[files...]', 'files of definitions; - is standard input')
    .option('--id <id>', 'id of the service; its name when not given')
    .option('--name <name>', 'name of the service')
    .option('--address <address>', 'its address; that of the node when not given')
    .option('--port <port>', 'its port', wholeNumber(0, 65_535))
    .option('--kind <kind>', 'connect-proxy or a kind of gateway; a service when not given')
    .option('--socket <path>', 'a unix socket instead of address and port')
    .option('--socket-path <path>', 'the same as -socket')
    .option('--tag <tag>', 'a tag; may be repeated', repeated)
    .option('--meta <key=value>', 'metadata; may be repeated', keyValue)
    .option('--tagged-address <name=address:port>', 'a further address; may be repeated', taggedAddress)
    .action((files: string[], flags: RegisterFlags) => register(files, flags, io));
}

async function register(files: readonly string[], flags: RegisterFlags, io: CommandIo): Promise<void> {
  const definitions = await definitionsOf(files, flags, io);
  await each(definitions, flags, io, {
    done: 'Registered',
    failed: 'registering',
    call: (api, service) => api.put('/v1/agent/service/register', { json: service.body, query: inNamespace(service) }),
  });
}

/** `services deregister`. */
export function addDeregister(parent: Program, io: CommandIo): void {
  const examples = ['lictor services deregister -id=web-1', 'lictor services deregister web.hcl'];
  withClientFlags(
    subProgram(parent, 'deregister', 'Removes services of the agent: one by its id, or those of files.', examples, io),
  )
    .argument('[files...]', 'files that define the services; - is standard input')
    .option('--id <id>', 'id of the service')
    .action((files: string[], flags: ClientFlags & { id?: string }) => deregister(files, flags, io));
}

async function deregister(
  files: readonly string[],
  flags: ClientFlags & { readonly id?: string },
  io: CommandIo,
): Promise<void> {
  if ((flags.id === undefined) === (files.length === 0)) {
    throw new AppError('config', 'give either -id or the files that define the services');
  }
  const { id } = flags;
  const definitions =
    id === undefined ? await fromFiles(files, io) : [{ id, name: id, namespace: undefined, body: {} }];
  await each(definitions, flags, io, {
    done: 'Deregistered',
    failed: 'deregistering',
    call: (api, service) =>
      api.put(`/v1/agent/service/deregister/${encodeURIComponent(service.id)}`, { query: inNamespace(service) }),
    label: (service) => service.id,
  });
}

interface Work {
  readonly done: string;
  readonly failed: string;
  readonly call: (api: HttpApi, service: ServiceDefinition) => Promise<unknown>;
  readonly label?: (service: ServiceDefinition) => string;
}

/** One line for each that is done; the first failure ends it and names the service. */
async function each(
  services: readonly ServiceDefinition[],
  flags: ClientFlags,
  io: CommandIo,
  work: Work,
): Promise<void> {
  const label = work.label ?? (({ name }) => name);
  await withApi(flags, io, async (api) => {
    for (const service of services) {
      try {
        await work.call(api, service);
      } catch (cause) {
        const code = cause instanceof AppError ? cause.code : 'unavailable';
        const text = `Error ${work.failed} service ${JSON.stringify(label(service))}: ${errorText(cause)}`;
        throw new AppError(code, text, { cause });
      }
      if (flags.format !== 'json') io.stdout.write(`${work.done} service: ${label(service)}\n`);
    }
  });
  if (flags.format === 'json') {
    io.stdout.write(
      json(
        services.map(({ id, name, namespace }) => ({ ID: id, Name: name, Namespace: namespace ?? flags.namespace })),
      ),
    );
  }
}

async function definitionsOf(
  files: readonly string[],
  flags: RegisterFlags,
  io: CommandIo,
): Promise<readonly ServiceDefinition[]> {
  const given = SERVICE_FLAGS.filter((flag) => flags[flag] !== undefined);
  if (files.length > 0) {
    if (given.length === 0) return fromFiles(files, io);
    throw new AppError('config', 'files and the flags of a service exclude each other; give one or the other');
  }
  if (given.length === 0) {
    throw new AppError('config', 'give files that define services, or -name; - reads standard input');
  }
  if (!flags.name) throw new AppError('config', '-name must be given (or files that define services)');
  return [
    checked('flags', {
      name: flags.name,
      id: flags.id,
      address: flags.address,
      port: flags.port,
      kind: flags.kind,
      socket_path: flags.socket ?? flags.socketPath,
      tags: flags.tag,
      meta: flags.meta,
      tagged_addresses: flags.taggedAddress,
    }),
  ];
}

async function fromFiles(files: readonly string[], io: CommandIo): Promise<readonly ServiceDefinition[]> {
  const services: ServiceDefinition[] = [];
  for (const path of files) {
    const file = await readDefinitionFile(path, io);
    const found = servicesOf(file);
    for (const key of found.others) io.stderr.write(`${file.name}: ${key} is not about services and is left out\n`);
    services.push(...found.services);
  }
  return services;
}

function inNamespace({ namespace }: ServiceDefinition): { ns?: string } {
  return namespace ? { ns: namespace } : {};
}

/** `lan=10.0.0.1:80`, `wan=[2001:db8::1]:80`. */
function taggedAddress(text: string, before: TaggedAddresses | undefined): TaggedAddresses {
  const parts = /^([^=]+)=(\[[^\]]+\]|[^:]+):(\d{1,5})$/.exec(text);
  if (!parts || Number(parts[3]) > 65_535) {
    throw new InvalidArgumentError('write name=address:port');
  }
  const [, name, address, port] = parts as unknown as [string, string, string, string];
  return { ...before, [name]: { address: address.replace(/^\[|\]$/g, ''), port: Number(port) } };
}
