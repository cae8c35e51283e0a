import { eventually } from '../support/eventually.ts';
import { type AgentProcess, startClientAgent, startServer } from '../support/processes/lictor.ts';
import { CAN_NOTIFY, NOTIFY_NEEDS, NotifySocket } from '../support/processes/notify-socket.ts';
import { runLictor } from '../support/processes/run-lictor.ts';
import { describeReal } from '../support/require-real.ts';

const WITHIN = { withinMs: 30_000 };
const CHECK = 'checks { id = "env", name = "env", interval = "1s", args = ["sh", "-c", "echo got $NOTIFY_SOCKET."] }';

describeReal('python3 and systemd-notify', CAN_NOTIFY, NOTIFY_NEEDS, 'an agent that systemd waits for', () => {
  let socket: NotifySocket;
  const agents: AgentProcess[] = [];
  beforeEach(async () => {
    socket = await NotifySocket.open();
  });
  afterEach(async () => {
    await Promise.all(agents.splice(0).map((agent) => agent.stop()));
    socket.close();
  });
  const started = (agent: AgentProcess) => {
    agents.push(agent);
    return agent;
  };
  const told = (count: number) =>
    eventually(() => expect(socket.messages.length).toBeGreaterThanOrEqual(count), WITHIN);

  it('tells it when it is ready, reloads and stops, and keeps the socket to itself', async () => {
    const args = ['-enable-local-script-checks', `-hcl=${CHECK}`];
    const agent = started(await startServer({ args, place: socket.place }));
    await told(1);
    expect(socket.messages).toEqual(['READY=1']);
    const outputs = async () =>
      Object.values(await agent.get<Record<string, { Output: string }>>('/v1/agent/checks')).map((one) => one.Output);
    await eventually(async () => expect(await outputs()).toEqual([expect.stringContaining('got .')]), WITHIN);
    const before = Number(process.hrtime.bigint() / 1000n);
    agent.process.signal('SIGHUP');
    await told(3);
    const reloading = /^RELOADING=1 MONOTONIC_USEC=(\d+)$/.exec(socket.messages[1]!);
    expect(Number(reloading?.[1])).toBeGreaterThan(before);
    expect(Number(reloading?.[1])).toBeLessThan(Number(process.hrtime.bigint() / 1000n));
    expect(socket.messages.slice(2)).toEqual(['READY=1']);
    await agent.terminate();
    await told(4);
    expect(socket.messages.slice(3)).toEqual(['STOPPING=1']);
    expect(agent.log()).toContain('"why":"SIGTERM","msg":"the agent ends"');
  });

  it('is ready in client mode once a server has answered, and at once where none is named', async () => {
    const alone = started(await startClientAgent(undefined, { node: 'alone', place: socket.place }));
    await told(1);
    const server = started(await startServer());
    await server.terminate();
    const args = [`-retry-join=127.0.0.1:${server.serverPort}`];
    const joining = started(await startClientAgent(undefined, { node: 'joining', args, place: socket.place }));
    expect((await runLictor(['leave'], { agent: alone })).code).toBe(0);
    expect(alone.log()).toContain('"why":"it was told to leave","msg":"the agent ends"');
    await told(2);
    expect(socket.messages).toEqual(['READY=1', 'STOPPING=1']);
    await server.restart();
    await told(3);
    expect(socket.messages[2]).toBe('READY=1');
    expect(await joining.get('/v1/status/leader')).toContain(':');
  });
});
