import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describeClient } from '../support/clients/find-client.ts';
import { type AgentProcess, startClientAgent, startServer } from '../support/processes/lictor.ts';

/** PyPI's py-consul: the scenarios are Python, in a file of their own. */
const SCRIPT = fileURLToPath(new URL('py_consul_scenarios.py', import.meta.url));

const SCENARIOS = [...readFileSync(SCRIPT, 'utf8').matchAll(/^def (test_\w+)/gm)].map((match) => match[1]!);

interface Outcome {
  readonly name: string;
  /** A traceback; null when all was as it should be. */
  readonly error: string | null;
}

describeClient('py-consul', 'py-consul', (python) => {
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
    expect(SCENARIOS.length).toBeGreaterThan(10);
  });

  describe.each([
    ['a server', () => server],
    ['a client agent', () => client],
  ] as const)('through %s', (_name, agent) => {
    let outcomes: Outcome[] = [];

    beforeAll(async () => {
      const args = [SCRIPT, '127.0.0.1', String(agent().httpPort), agent().name];
      const { stdout } = await promisify(execFile)(python, args, { timeout: 240_000, maxBuffer: 64 << 20 });
      outcomes = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Outcome);
    }, 300_000);

    it.each(SCENARIOS)('%s', (name) => {
      const outcome = outcomes.find((one) => one.name === name);
      if (outcome?.error) throw new Error(outcome.error);
      expect(outcome).toEqual({ name, error: null });
    });
  });
});
