import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { type AgentProcess, startClientAgent, startServer } from '../processes/lictor.ts';

/** A line that a program of scenarios prints. */
interface Outcome {
  readonly name: string;
  /** What went wrong, with where; null when all was as it should be. */
  readonly error: string | null;
}

/** A program in another language, each of whose scenarios is a test here. */
export interface ScenarioProgram {
  readonly command: string;
  /** Before the agent's address and node. */
  readonly args: readonly string[];
  /** How the program wants its agent named. */
  readonly agent: (agent: AgentProcess) => readonly string[];
  /** The source, and what finds the names of its scenarios as first group. */
  readonly source: string;
  readonly names: RegExp;
}

/** The scenarios of a program, through a server and through a client agent of the same server. */
export function describeScenarios(program: ScenarioProgram): void {
  const names = [...readFileSync(program.source, 'utf8').matchAll(program.names)].map((match) => match[1]!);
  let server: AgentProcess;
  let client: AgentProcess;

  beforeAll(async () => {
    server = await startServer();
    client = await startClientAgent(server, { node: 'node-1' });
  }, 90_000);
  afterAll(async () => {
    await client?.stop();
    await server?.stop();
  });

  it('has scenarios', () => {
    expect(names.length).toBeGreaterThan(10);
  });

  describe.each([
    ['a server', () => server],
    ['a client agent', () => client],
  ] as const)('through %s', (_name, agent) => {
    let outcomes: Outcome[] = [];

    beforeAll(async () => {
      const args = [...program.args, ...program.agent(agent())];
      const { stdout } = await promisify(execFile)(program.command, args, { timeout: 240_000, maxBuffer: 64 << 20 });
      outcomes = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Outcome);
    }, 300_000);

    it.each(names)('%s', (name) => {
      const outcome = outcomes.find((one) => one.name === name);
      if (outcome?.error) throw new Error(outcome.error);
      expect(outcome).toEqual({ name, error: null });
    });
  });
}
