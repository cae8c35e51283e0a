import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { eventually } from '../support/eventually.ts';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';
import { describeReal, findProgram } from '../support/require-real.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Generated from what they describe, with tests of their own. */
const GENERATED = ['cli.md', 'http-endpoints.md'];

/** The shell blocks of a text for people: the lines after `$ `. */
function shellBlocks(text: string): string[][] {
  const blocks = text.matchAll(/^```(?:console|sh|bash)\n(.*?)^```/gms);
  return [...blocks].map(([, block]) => [...block!.matchAll(/^\$ (.*)$/gm)].map(([, command]) => command!));
}

const pages = ['README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => join('docs', name))].filter(
  (name) => name.endsWith('.md') && !GENERATED.includes(name.slice('docs/'.length)),
);
const blocks = pages.flatMap((page) =>
  shellBlocks(readFileSync(join(ROOT, page), 'utf8')).map((commands) => ({ page, commands })),
);

/** Blocks that another test runs, by their first command. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'make demo': 'test/e2e/demo.test.ts',
  'make test': '.ci/run',
  'lictor tls ca create': 'cli/tls.test.ts',
  'export CONSUL_HTTP_ADDR=127.0.0.1:8501 CONSUL_HTTP_SSL=true CONSUL_CACERT=consul-agent-ca.pem':
    'test/e2e/https.test.ts',
  'kubectl apply -f crds/': 'test/integration/crds-api-server.test.ts',
  'kubectl apply -f examples/service-selector.yaml': 'test/integration/crds-api-server.test.ts',
};
/** Blocks that are run below, by their first command. */
const HERE = ['dig @127.0.0.1 -p 8600 web.service.consul SRV +short'];

describe('the shell blocks of README.md and docs', () => {
  it('are each run by a test', () => {
    expect(blocks.length).toBeGreaterThan(3);
    const first = blocks.map(({ page, commands }) => `${page}: ${commands[0]}`);
    const known = blocks.map(({ page, commands }) => {
      const file = ELSEWHERE[commands[0]!];
      const run = file === undefined ? HERE.includes(commands[0]!) : existsSync(join(ROOT, file));
      return run ? `${page}: ${commands[0]}` : 'run by no test';
    });
    expect(known).toEqual(first);
    // Nor is a test named for what is no longer there.
    const commands = blocks.map((block) => block.commands[0]);
    expect(commands).toEqual(expect.arrayContaining([...Object.keys(ELSEWHERE), ...HERE]));
  });
});

const tools = findProgram('dig') && findProgram('curl');
describeReal(
  'dig and curl',
  tools !== undefined,
  'apt-get install bind9-dnsutils curl',
  'the tour of README.md',
  () => {
    let server: AgentProcess;
    beforeAll(async () => {
      server = await startServer();
      const body = JSON.stringify({
        Node: 'n1',
        Address: '10.0.0.1',
        Service: { Service: 'web', Port: 8080 },
        Check: { Name: 'alive', Status: 'passing', ServiceID: 'web' },
      });
      await eventually(async () => (await fetch(`${server.url}/v1/catalog/register`, { method: 'PUT', body })).ok, {
        withinMs: 20_000,
      });
    });
    afterAll(() => server.stop());

    const commands = blocks.find((block) => block.commands[0] === HERE[0])?.commands ?? [];
    it.each(commands)('shows the instance: %s', async (command) => {
      const here = command.replace('-p 8600', `-p ${server.dnsPort}`).replace('127.0.0.1:8500', server.url.slice(7));
      const env = { ...process.env, CONSUL_HTTP_ADDR: server.url };
      const { stdout } = await promisify(execFile)('bash', ['-c', here], { cwd: ROOT, env, timeout: 30_000 });
      expect(stdout).toContain('8080');
    });
  },
);
