import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeClient } from '../support/clients/find-client.ts';
import { describeScenarios } from '../support/clients/scenarios.ts';
import { eventually } from '../support/eventually.ts';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';
import { startTied, type TiedProcess } from '../support/processes/tied-process.ts';

/** Consul's own Go client: the scenarios are Go, in a module of their own. */
const SOURCE = fileURLToPath(new URL('go-api/scenarios.go', import.meta.url));

/** Far above what a busy machine needs. */
const WITHIN = { withinMs: 60_000 };

type Event = { event: string; ids?: string[] };

const addressOf = (agent: AgentProcess) => `127.0.0.1:${agent.httpPort}`;

describeClient('go-api', "Consul's Go client", (program) => {
  describeScenarios({
    command: program,
    args: [],
    agent: (agent) => [addressOf(agent), agent.name],
    source: SOURCE,
    names: /^func (test\w+)/gm,
  });

  it('keeps a lock and a watch through a restart of the server, and hands the lock on', async () => {
    const folder = tempFolder('go-api');
    const server = await startServer();
    const processes: TiedProcess[] = [];
    const hold = async (name: string) => {
      const args = [addressOf(server), 'server-1', 'hold', 'go/leader'];
      const process = await startTied({ name, command: program, args, logFile: join(folder, name) });
      processes.push(process);
      const events = () =>
        process
          .log()
          .split('\n')
          .filter((line) => line.startsWith('{"'))
          .map((line) => JSON.parse(line) as Event);
      return { process, events, has: (event: string) => events().some((one) => one.event === event) };
    };
    const register = async (id: string) => {
      const body = JSON.stringify({ ID: id, Name: 'held' });
      expect((await fetch(`${server.url}/v1/agent/service/register`, { method: 'PUT', body })).status).toBe(200);
    };
    const instances = (events: Event[]) => events.filter((one) => one.event === 'instances').at(-1)?.ids;
    try {
      await register('one');
      const first = await hold('first');
      await eventually(() => first.has('locked'), WITHIN);
      const second = await hold('second');
      await eventually(() => instances(second.events())?.join() === 'one', WITHIN);
      await server.restart();
      await register('two');
      await eventually(() => instances(first.events())?.join() === 'one,two', WITHIN);
      await eventually(() => instances(second.events())?.join() === 'one,two', WITHIN);
      const { Session } = (await server.get<{ Session?: string }[]>('/v1/kv/go/leader'))[0]!;
      expect(Session).toBeDefined();
      expect([first.has('lost'), second.has('locked')]).toEqual([false, false]);
      await first.process.stop();
      expect(first.has('unlocked')).toBe(true);
      await eventually(() => second.has('locked'), WITHIN);
      const next = await server.get<{ Session?: string }[]>('/v1/kv/go/leader');
      expect(next[0]!.Session).not.toBe(Session);
      expect(first.has('again')).toBe(false);
    } finally {
      for (const process of processes) await process.kill();
      await server.stop();
      removeFolder(folder);
    }
  }, 180_000);
});
