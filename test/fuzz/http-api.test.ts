import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type AgentProcess, startDevAgent } from '../support/processes/lictor.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';
import { describeReal } from '../support/require-real.ts';

/**
 * schemathesis reads the API's own description and sends what it says and what it does not say; answers have to be as they are
 * described, and none may be a defect. A short form with a fixed seed; with FUZZ_RUNS (`make fuzz`) a long one, with FUZZ_SEED
 * another one.
 */
const SCRIPT = fileURLToPath(new URL('../../scripts/install-schemathesis', import.meta.url));
const FOLDER = fileURLToPath(new URL('.', import.meta.url));
const PYTHON = execFileSync(SCRIPT, ['--path'], { encoding: 'utf8' }).trim();
const LONG = process.env.FUZZ_RUNS !== undefined;
const SHORT_FORM = ['--max-examples=5', '--phases=examples,coverage,fuzzing'];
const LONG_FORM = ['--max-examples=300', '--phases=examples,coverage,fuzzing'];
const CHECKS = [
  'status_code_conformance',
  'content_type_of_content',
  'response_headers_conformance',
  'response_schema_conformance',
  'unsupported_method',
  'no_defect',
];
const DEADLINE_MS = LONG ? 4 * 3_600_000 : 900_000;

interface Report {
  readonly complete: boolean;
  readonly operations: { readonly total: number; readonly tested: number };
  readonly test_cases: { readonly generated: number };
  readonly failures: readonly { readonly title: string; readonly operations: readonly string[] }[];
  readonly errors: readonly unknown[];
}

interface Described {
  readonly operationId: string;
  readonly 'x-lictor-destructive'?: string;
  readonly 'x-lictor-endless'?: true;
}

/** The operations that stay alone, for the reason that their description gives. */
async function leftAlone(agent: AgentProcess): Promise<string[]> {
  const { paths } = await agent.get<{ paths: Record<string, Record<string, Described>> }>('/v1/openapi.json');
  return Object.values(paths)
    .flatMap((path) => Object.values(path))
    .filter((operation) => operation['x-lictor-destructive'] || operation['x-lictor-endless'])
    .map(({ operationId }) => operationId);
}

async function schemathesis(agent: AgentProcess, args: readonly string[]): Promise<{ report: Report; text: string }> {
  const folder = tempFolder('schemathesis');
  const file = join(folder, 'report.json');
  const fixed = [
    '--no-color',
    '--warnings=off',
    '--continue-on-failure',
    '--report=json',
    `--report-json-path=${file}`,
  ];
  const child = spawn(PYTHON, ['-m', 'schemathesis.cli', 'run', `${agent.url}/v1/openapi.json`, ...fixed, ...args], {
    // It keeps what it found beside itself.
    cwd: folder,
    env: { ...process.env, PYTHONPATH: FOLDER, SCHEMATHESIS_HOOKS: 'schemathesis_hooks', PYTHONDONTWRITEBYTECODE: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: DEADLINE_MS,
  });
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise((ended, failed) => child.on('close', ended).on('error', failed));
  const text = Buffer.concat(chunks).toString();
  if (!existsSync(file)) throw new Error(`schemathesis made no report:\n${text}`);
  const report = JSON.parse(readFileSync(file, 'utf8')) as Report;
  removeFolder(folder);
  return { report, text };
}

describeReal('schemathesis', existsSync(PYTHON), 'scripts/install-schemathesis', 'the HTTP API', () => {
  let agent: AgentProcess;

  beforeAll(async () => {
    agent = await startDevAgent();
  }, 60_000);
  afterAll(() => agent?.stop());

  it(
    'answers whatever is sent as it is described, and without a defect',
    async () => {
      const alone = await leftAlone(agent);
      expect(alone.length).toBeGreaterThan(0);
      const { report, text } = await schemathesis(agent, [
        ...(LONG ? LONG_FORM : SHORT_FORM),
        `--seed=${process.env.FUZZ_SEED ?? 1}`,
        `--checks=${CHECKS.join(',')}`,
        '--request-timeout=30',
        '--suppress-health-check=all',
        '--generation-database=none',
        ...alone.map((id) => `--exclude-operation-id=${id}`),
      ]);
      const { failures, errors, operations, test_cases: cases, complete } = report;
      if (failures.length > 0 || errors.length > 0) throw new Error(text);
      expect(complete).toBe(true);
      expect(operations.tested).toBe(operations.total - alone.length);
      expect(cases.generated).toBeGreaterThan(operations.tested * 5);
      expect(agent.process.running).toBe(true);
      expect(agent.log().match(/^.*"level":"error".*$/gm) ?? []).toEqual([]);
    },
    DEADLINE_MS,
  );
});
