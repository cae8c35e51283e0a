import type { Command as Program } from 'commander';
import { CommandExit, type CommandIo } from './command.ts';
import { json } from './output.ts';
import { type ClientFlags, command, program, repeated, subProgram, withApi, withClientFlags } from './program.ts';
import { table } from './table.ts';

interface Session {
  ID: string;
  Name: string;
  Node: string;
  LockDelay: number;
  Behavior: string;
  TTL: string;
  NodeChecks: string[] | null;
  ServiceChecks: { ID: string }[] | null;
}

interface CreateFlags extends ClientFlags {
  name?: string;
  node?: string;
  ttl?: string;
  lockDelay?: string;
  behavior?: string;
  nodeCheck?: string[];
  serviceCheck?: string[];
}

/** `lictor session`: what holds locks. */
export const sessionCommand = command({
  name: 'session',
  summary: 'Create, list, renew and destroy sessions',
  program(io) {
    const examples = ['lictor session create -name deploy -ttl 30s', 'lictor session list'];
    const session = program('lictor session', 'Works with sessions, which hold locks on keys.', examples, io);
    addCreate(session, io);
    addList(session, io);
    addInfo(session, io);
    addRenew(session, io);
    addDestroy(session, io);
    return session;
  },
});

function addCreate(session: Program, io: CommandIo): void {
  const examples = ['lictor session create -name deploy -ttl 30s -behavior delete'];
  withClientFlags(subProgram(session, 'create', 'Creates a session and prints its id.', examples, io))
    .option('--name <name>', 'a name for people')
    .option('--node <name>', 'the node that it is bound to (default: the agent’s)')
    .option('--ttl <duration>', '10s to 24h; it ends when it is not renewed in time (default: never)')
    .option('--lock-delay <duration>', 'how long its keys stay locked after it ended (default 15s)')
    .option('--behavior <behavior>', 'release or delete its keys when it ends (default release)')
    .option('--node-check <id>', 'a check of the node that it depends on (default serfHealth); repeatable', repeated)
    .option('--service-check <id>', 'a check of a service that it depends on; repeatable', repeated)
    .action(async (flags: CreateFlags) => {
      const { name, node, ttl, lockDelay, behavior, nodeCheck, serviceCheck } = flags;
      const body = {
        Name: name,
        Node: node,
        TTL: ttl,
        LockDelay: lockDelay,
        Behavior: behavior,
        NodeChecks: nodeCheck,
        ServiceChecks: serviceCheck?.map((ID) => ({ ID })),
      };
      const made = await withApi(flags, io, (api) => api.put<{ ID: string }>('/v1/session/create', { json: body }));
      io.stdout.write(flags.format === 'json' ? json(made) : `${made.ID}\n`);
    });
}

function addList(session: Program, io: CommandIo): void {
  withClientFlags(subProgram(session, 'list', 'Lists sessions.', ['lictor session list -node web-1'], io))
    .option('--node <name>', 'only those of a node')
    .action(async (flags: ClientFlags & { node?: string }) => {
      const path = flags.node ? `/v1/session/node/${encodeURIComponent(flags.node)}` : '/v1/session/list';
      show(await withApi(flags, io, (api) => api.get<Session[]>(path)), flags, io);
    });
}

function addInfo(session: Program, io: CommandIo): void {
  withClientFlags(subProgram(session, 'info', 'Shows a session.', ['lictor session info SESSION-ID'], io))
    .argument('<id>')
    .action(async (id: string, flags: ClientFlags) => {
      const path = `/v1/session/info/${encodeURIComponent(id)}`;
      const found = await withApi(flags, io, (api) => api.get<Session[]>(path));
      if (found.length === 0) throw new CommandExit(1, `Error! No session exists with the id: ${id}`);
      show(found, flags, io);
    });
}

function addRenew(session: Program, io: CommandIo): void {
  withClientFlags(subProgram(session, 'renew', 'Begins its TTL anew.', ['lictor session renew SESSION-ID'], io))
    .argument('<id>')
    .action(async (id: string, flags: ClientFlags) => {
      const path = `/v1/session/renew/${encodeURIComponent(id)}`;
      const answer = await withApi(flags, io, (api) => api.send('PUT', path, { accept: [404] }));
      if (answer.status === 404) throw new CommandExit(1, `Error! No session exists with the id: ${id}`);
      io.stdout.write(flags.format === 'json' ? json(answer.json()) : `Success! Renewed session: ${id}\n`);
    });
}

function addDestroy(session: Program, io: CommandIo): void {
  const examples = ['lictor session destroy SESSION-ID'];
  withClientFlags(subProgram(session, 'destroy', 'Ends a session and lets go of its keys.', examples, io))
    .argument('<id>')
    .action(async (id: string, flags: ClientFlags) => {
      await withApi(flags, io, (api) => api.put<boolean>(`/v1/session/destroy/${encodeURIComponent(id)}`));
      io.stdout.write(flags.format === 'json' ? json(true) : `Success! Destroyed session: ${id}\n`);
    });
}

function show(sessions: readonly Session[], flags: ClientFlags, io: CommandIo): void {
  const rows = sessions.map((one) => [
    one.ID,
    one.Name || '-',
    one.Node,
    one.TTL || '-',
    `${one.LockDelay / 1e9}s`,
    one.Behavior,
    [...(one.NodeChecks ?? []), ...(one.ServiceChecks ?? []).map(({ ID }) => ID)].join(',') || '-',
  ]);
  const header = ['ID', 'Name', 'Node', 'TTL', 'LockDelay', 'Behavior', 'Checks'];
  io.stdout.write(flags.format === 'json' ? json(sessions) : table(header, rows));
}
