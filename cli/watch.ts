import type { Command as Program } from 'commander';
import type { HealthEntry } from '../api/shapes/catalog.ts';
import { type Clock, SystemClock } from '../core/clock.ts';
import { AppError, errorText } from '../core/errors.ts';
import { SystemRandom } from '../core/random.ts';
import { stopAtFirstArgument } from './arguments.ts';
import type { CommandIo } from './command.ts';
import type { HttpApi } from './http-api.ts';
import { json } from './output.ts';
import { type ClientFlags, command, program, repeated, withApi, withClientFlags } from './program.ts';
import { follow, once } from './watch/follow.ts';
import { commandHandler, shellHandler } from './watch/handlers.ts';
import { type Instance, type InstanceChange, instanceChanges, instancesOf } from './watch/instance-changes.ts';
import { WATCH_TYPES, type WatchParams, watchPlan } from './watch/plan.ts';
import { followStream } from './watch/stream.ts';

interface WatchFlags extends ClientFlags {
  type?: string;
  key?: string;
  prefix?: string;
  service?: string[];
  serviceId?: string;
  tag?: string[];
  passingonly?: boolean;
  state?: string;
  name?: string;
  filter?: string;
  shell: boolean;
}

const EXAMPLES = [
  'lictor watch -service web',
  'lictor watch -service web -service db',
  "lictor watch -service='*' -passingonly",
  'lictor watch -service web -passingonly -format json',
  'lictor watch -type=key -key=app/config ./reload.sh',
  'lictor watch -type=service -service=web -no-shell /usr/bin/render --all',
];

/** `lictor watch`: Consul's watches with a handler, and a live list of a service's instances. */
export const watchCommand = command({
  name: 'watch',
  summary: 'Follow a service live, or run a command on every change of a watch',
  program(io) {
    const target = program(
      'lictor watch',
      `With -service alone: prints the instances and then every change, of several services from one request, of all with *. With -type: runs the given command with the result as JSON on its standard input, at once and on every change; without a command, prints the result once. Types: ${WATCH_TYPES.join(', ')}.`,
      EXAMPLES,
      io,
    );
    return withWatchFlags(withClientFlags(stopAtFirstArgument(target))).action((args: string[], flags: WatchFlags) =>
      watch(args, flags, { io, clock: new SystemClock() }),
    );
  },
});

function withWatchFlags(target: Program): Program {
  return target
    .argument('[command...]', 'what to run on a change, with its own flags')
    .option('--type <type>', 'what to watch')
    .option('--key <key>', 'for key')
    .option('--prefix <prefix>', 'for keyprefix')
    .option('--service <name>', 'for service, checks and connect_leaf; alone it may be repeated', repeated)
    .option('--service-id <id>', 'for agent_service')
    .option('--tag <tag>', 'for service; may be repeated', repeated)
    .option('--passingonly', 'for service: only instances that pass')
    .option('--state <state>', 'for checks')
    .option('--name <name>', 'for event')
    .option('--filter <expression>', 'for services, nodes, service and checks')
    .option('--no-shell', 'start the command itself, not through a shell (also -shell=false)');
}

interface WatchDeps {
  readonly io: CommandIo;
  readonly clock: Clock;
}

async function watch(args: readonly string[], flags: WatchFlags, deps: WatchDeps): Promise<void> {
  const services = (flags.service ?? []).filter((name) => name !== '');
  if (flags.type === undefined && services.length === 0) {
    throw new AppError(
      'config',
      `-type must be given (${WATCH_TYPES.join(', ')}), or -service alone to follow services`,
    );
  }
  if (flags.type === undefined && args.length > 0) {
    throw new AppError('config', 'a command needs -type=service; without -type the instances are printed');
  }
  if (flags.type !== undefined && services.length > 1) {
    throw new AppError('config', `-type=${flags.type} watches one -service; without -type several are followed`);
  }
  const params: WatchParams = {
    ...flags,
    type: flags.type ?? 'service',
    service: services[0],
    service_id: flags.serviceId,
  };
  await withApi(flags, deps.io, async (api) => {
    if (flags.type === undefined) return followServices(api, services, params, flags, deps);
    if (args.length > 0) return runHandler(api, params, args, flags, deps);
    deps.io.stdout.write(json(await once(api, watchPlan(params))));
  });
}

async function runHandler(
  api: HttpApi,
  params: WatchParams,
  args: readonly string[],
  flags: WatchFlags,
  { io, clock }: WatchDeps,
): Promise<void> {
  const report = reporter(io);
  const handler = flags.shell ? shellHandler(args.join(' '), io) : commandHandler(args, io);
  for await (const change of follow({ api, clock, onFailure: report }, watchPlan(params), io.signal)) {
    await handler(change, io.signal).catch((error: unknown) => report(errorText(error)));
  }
}

/** One line for each instance at first, and then for each change: aligned columns, or JSON. */
async function followServices(
  api: HttpApi,
  services: readonly string[],
  params: WatchParams,
  flags: WatchFlags,
  { io, clock }: WatchDeps,
): Promise<void> {
  const onFailure = reporter(io);
  const all = services.includes('*');
  const show = (changes: readonly InstanceChange[]) => {
    for (const change of changes) io.stdout.write(line(change, { flags, named: all || services.length > 1 }));
  };
  const onFirst = (shown: readonly Instance[]) => {
    const text = waitingText(all ? [] : services, shown, flags, io);
    if (text !== undefined) onFailure(text);
  };
  const query = {
    service: all ? undefined : services,
    tag: flags.tag,
    passing: flags.passingonly ? '1' : undefined,
    filter: flags.filter,
  };
  try {
    const deps = { api, clock, random: new SystemRandom(), onFailure, onFirst };
    for await (const changes of followStream(deps, query, io.signal)) show(changes);
  } catch (error) {
    // An agent of Consul's has no streams; one service can be asked of it again and again.
    if (!(error instanceof AppError) || error.code !== 'notFound') throw error;
    if (all || services.length > 1) {
      throw new AppError('notFound', `${api.address} has no streams; give one -service, which needs none`);
    }
    let before: ReturnType<typeof instancesOf> | undefined;
    for await (const { value } of follow({ api, clock, onFailure }, watchPlan(params), io.signal)) {
      const after = instancesOf(value as HealthEntry[]);
      if (!before) onFirst([...after.values()]);
      show(instanceChanges(before ?? new Map(), after));
      before = after;
    }
  }
}

/** What to say of services that have no instance at first; undefined when each has one. `services` is none for all. */
function waitingText(
  services: readonly string[],
  shown: readonly Instance[],
  { tag, passingonly, filter }: WatchFlags,
  { invokedAs = 'lictor' }: CommandIo,
): string | undefined {
  const asked = tag || passingonly || filter ? ' that fits the flags' : '';
  if (services.length === 0) return shown.length > 0 ? undefined : `no service has an instance${asked} yet; waiting`;
  const there = new Set(shown.map(({ service }) => service.toLowerCase()));
  const empty = services.filter((name) => !there.has(name.toLowerCase()));
  if (empty.length === 0) return undefined;
  const have = empty.length === 1 ? 'has' : 'have';
  return `${empty.join(', ')} ${have} no instance${asked} yet; waiting ('${invokedAs} explain ${empty[0]}' says why)`;
}

function reporter(io: CommandIo): (text: string) => void {
  return (text) => void io.stderr.write(`${io.invokedAs ?? 'lictor'} watch: ${text}\n`);
}

const SIGNS = { added: '+', changed: '~', removed: '-' };

function line(change: InstanceChange, { flags, named }: { flags: WatchFlags; named: boolean }): string {
  if (flags.format === 'json') return `${JSON.stringify(change)}\n`;
  const { service, instance, node, address, status, why } = change;
  const columns = [instance.padEnd(24), node.padEnd(16), address.padEnd(22), status.padEnd(11), why];
  if (named) columns.unshift(service.padEnd(16));
  return `${SIGNS[change.change]} ${columns.join(' ').trimEnd()}\n`;
}
