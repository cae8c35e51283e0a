import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../arch/sources.ts';
import { eventually } from '../support/eventually.ts';

const BIN = join(ROOT, 'bin/lictor');
const SERVICE = `apiVersion: lictor.dev/v1alpha1
kind: Service
metadata: {name: web}
spec: {instances: [{id: web-1, address: 127.0.0.1, port: 9}]}
`;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lictor-bad-input-'));
  mkdirSync(join(folder, 'manifests'));
  writeFileSync(join(folder, 'manifests', 'web.yaml'), SERVICE);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  code: number | null;
  stderr: string;
}

/** Runs lictor until it ends by itself. */
function lictor(...args: string[]): Promise<Outcome> {
  const child = spawn(BIN, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, HOME: folder, KUBECONFIG: undefined },
  });
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk);
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
  return new Promise((resolve) => {
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, stderr });
    });
  });
}

function dev(...args: string[]): Promise<Outcome> {
  const ports = ['-http-port', '0', '-dns-port', '0'];
  return lictor('dev', '-f', join(folder, 'manifests'), '-data-dir', join(folder, 'data'), ...ports, ...args);
}

/** One line, no stack, and the parts that tell the user what and where. */
function expectOneLine(outcome: Outcome, ...parts: (string | RegExp)[]): void {
  expect(outcome.code).toBe(1);
  const lines = outcome.stderr.trim().split('\n');
  for (const part of parts) expect(outcome.stderr).toMatch(part);
  expect(lines).toHaveLength(1);
  expect(outcome.stderr).not.toMatch(/\n\s+at /);
}

describe('a wrong manifest at start', () => {
  it.each([
    ['a wrong kind', 'apiVersion: lictor.dev/v1alpha1\nkind: Servise\nmetadata: {name: x}\nspec: {}\n', /Servise/],
    ['an unknown field', SERVICE.replace('spec: {', 'spec: {tagz: [v1], '), /spec\.tagz/],
    ['two documents of one name', `${SERVICE}---\n${SERVICE}`, /web\.yaml:\d+.*Service default\/web/],
    ['broken YAML', 'kind: Service\n  metadata: [', /web\.yaml:\d+/],
  ])('%s is named with file and line', async (_what, text, expected) => {
    writeFileSync(join(folder, 'manifests', 'web.yaml'), text);
    expectOneLine(await dev(), expected, 'web.yaml');
  });

  it('a folder that is not there is named', async () => {
    expectOneLine(await dev('-f', join(folder, 'none')), /none/);
  });
});

describe('a wrong flag or configuration', () => {
  it.each([
    [['dev'], /--file/],
    [['dev', '-f', 'x', '-http-port', 'eighty'], /-http-port eighty/],
    [['dev', '-f', 'x', '-log-level', 'loud'], /-log-level loud/],
    [['agent'], /data-dir/],
    [['agent', '-dev', '-nodee', 'x'], /-nodee.*-node\b/],
    [['agent', '-data-dir', '/tmp/x', '-bootstrap-expect', '3'], /bootstrap_expect: .*-server/],
    [['operator', '--workers', 'many'], /workers/],
    [['resolve', 'web', '-http-addr', '127.0.0.1:1'], /-http-addr/],
  ])('%j is refused in one line', async (args, expected) => {
    expectOneLine(await lictor(...args), expected);
  });

  it('an operator without a kubeconfig, or with one that is not there, says how to give one', async () => {
    expectOneLine(await lictor('operator'), /--kubeconfig/);
    expectOneLine(await lictor('operator', '--kubeconfig', join(folder, 'none')), /none/, /kubeconfig/);
  });

  it('a configuration file with an unknown key names key and file', async () => {
    const file = join(folder, 'agent.json');
    writeFileSync(file, '{"data_dir": "/tmp/x", "node_nam": "n1"}');
    expectOneLine(await lictor('agent', '-server', '-config-file', file), /node_nam/, /agent\.json/, /node_name/);
  });
});

describe('a port in use', () => {
  it('is named with its flag', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const { port } = holder.address() as { port: number };
    try {
      expectOneLine(await dev('-http-port', String(port)), String(port), /-http-port/);
      expectOneLine(await dev('-dns-port', String(port)), String(port), /dns/i);
    } finally {
      await new Promise((resolve) => holder.close(resolve));
    }
  });
});

describe('a data folder that cannot be used', () => {
  it('is a file: named', async () => {
    writeFileSync(join(folder, 'data'), 'not a folder');
    expectOneLine(await dev(), /data/);
    expect(readFileSync(join(folder, 'data'), 'utf8')).toBe('not a folder');
  });

  it('was written by a newer version: named, and left as it was', async () => {
    const child = spawn(
      BIN,
      ['dev', '-f', join(folder, 'manifests'), '-data-dir', join(folder, 'data'), '-http-port', '0', '-dns-port', '0'],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
    const manifest = join(folder, 'data', 'catalog', 'store.json');
    const found = JSON.parse(readFileSync(manifest, 'utf8')) as { format: number };
    writeFileSync(manifest, JSON.stringify({ ...found, format: found.format + 1 }));
    const before = readdirSync(join(folder, 'data', 'catalog'));
    expectOneLine(await dev(), /newer/);
    expect(readdirSync(join(folder, 'data', 'catalog'))).toEqual(expect.arrayContaining(before));
  });

  // Where not even root may write; elsewhere the same is refused by the rights of a folder.
  it('is not writable: named', async () => {
    const closed = process.platform === 'linux' ? '/sys/lictor/data' : join(folder, 'closed', 'data');
    if (process.platform !== 'linux') {
      mkdirSync(join(folder, 'closed'));
      chmodSync(join(folder, 'closed'), 0o500);
    }
    const args = ['-f', join(folder, 'manifests'), '-http-port', '0', '-dns-port', '0'];
    expectOneLine(await lictor('dev', ...args, '-data-dir', closed), closed);
    expectOneLine(await lictor('agent', '-server', '-bind', '127.0.0.1', '-data-dir', closed), closed);
  });
});

describe('a manifest that becomes wrong while it is edited', () => {
  it('is reported once, and what it declared before stays', async () => {
    const child = spawn(
      BIN,
      ['dev', '-f', join(folder, 'manifests'), '-data-dir', join(folder, 'data'), '-http-port', '0', '-dns-port', '0'],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += String(chunk);
    });
    child.stderr.on('data', (chunk) => {
      out += String(chunk);
    });
    try {
      await eventually(() => /web-1 .*passing/.test(out), { withinMs: 20_000, what: 'web-1 is shown' });
      const url = /curl '(http:[^']*)'/.exec(out)![1]!;
      writeFileSync(join(folder, 'manifests', 'web.yaml'), SERVICE.slice(0, -20));
      await eventually(() => /! .*web\.yaml/.test(out), { withinMs: 20_000, what: 'the problem is shown' });
      const note = /! .*web\.yaml: the last good version still serves/;
      await eventually(() => note.test(out), { withinMs: 20_000, what: 'what serves is shown' });
      const kept = (await (await fetch(url)).json()) as unknown[];
      expect(kept).toHaveLength(1);
      writeFileSync(join(folder, 'manifests', 'web.yaml'), SERVICE.replace('port: 9}', 'port: 10}'));
      await eventually(async () => JSON.stringify(await (await fetch(url)).json()).includes('"Port":10'), {
        withinMs: 20_000,
        what: 'the mended manifest takes effect',
      });
    } finally {
      child.kill('SIGKILL');
    }
  });
});
