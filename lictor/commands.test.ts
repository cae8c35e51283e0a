import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command as Program } from 'commander';
import { normaliseFlags } from '../cli/arguments.ts';
import type { Command } from '../cli/command.ts';
import { AppError } from '../core/errors.ts';
import { ROOT } from '../test/arch/sources.ts';
import { runForTest } from '../test/support/command-run.ts';
import { cliReference } from './cli-reference.ts';
import { COMMANDS } from './commands.ts';
import { changeAutocomplete } from './completion-command.ts';
import { completionScript } from './completion-scripts.ts';
import { type CommandDescription, describeCommands, withDescendants } from './describe-commands.ts';
import { runCommand, usage } from './run-command.ts';

const described = await describeCommands();
const all = described.flatMap(withDescendants);
const byPath = new Map(all.map((one) => [one.path.join(' '), one]));
const main: Command = { name: 'lictor', summary: '', run: (argv, io) => runCommand(argv, io) };

describe('every command', () => {
  it.each(all.map((one) => [one.path.join(' '), one] as const))(
    '%s has help with flags and examples',
    async (path, one) => {
      const { code, stdout } = await runForTest(main, [...one.path, '--help']);
      expect(code).toBe(0);
      expect(stdout).toContain(`Usage: lictor ${one.path[0]}`);
      expect(one.summary).not.toBe('');
      expect(one.examples.length).toBeGreaterThan(0);
      // An operator's flags are in the help of the operator, its tools in that of the tools.
      for (const example of path === 'operator' ? one.examples.slice(0, 1) : one.examples)
        expect(stdout).toContain(example);
    },
  );

  it.each(all.map((one) => [one.path.join(' '), one.examples] as const))(
    '%s has examples that exist',
    (_, examples) => {
      for (const example of examples) {
        const found = /^(?:\S+=\S+ )*lictor (.*)$/.exec(example);
        if (!found) continue;
        const words = found[1]!.split(/[|>]/)[0]!.split(/\s+/);
        const target = deepest(words);
        if (!target) throw new Error(`${example}: there is no command ${words[0]}`);
        const flags = new Set(target.flags.map((flag) => flag.name));
        const used = words
          .filter((word) => /^--?[a-z][a-z_-]+/.test(word))
          .map((word) => word.replace(/^--?/, '').split('=')[0]!);
        // What follows the first argument may belong to another command.
        for (const flag of used.slice(0, 1))
          expect([example, flags.has(flag) || flag === 'help']).toEqual([example, true]);
      }
    },
  );

  it('takes its flags with one dash and two', async () => {
    for (const [name, row] of Object.entries(COMMANDS)) {
      const command = await row.load();
      if (!command.program) continue;
      for (const one of withDescendants(described.find(({ path }) => path[0] === name)!)) {
        for (const flag of one.path.length === 1 && command.own ? [] : one.flags) {
          for (const dashes of ['-', '--']) {
            expect([one.path, flag.name, unknownTo(command, one, `${dashes}${flag.name}`, flag.value)]).toEqual([
              one.path,
              flag.name,
              [],
            ]);
          }
        }
      }
    }
  });
});

/** The description of the command that these words begin with. */
function deepest(words: readonly string[]): CommandDescription | undefined {
  for (let length = words.length; length > 0; length--) {
    const found = byPath.get(words.slice(0, length).join(' '));
    if (found) return found;
  }
  return undefined;
}

/** What commander does not know of a flag. */
function unknownTo(command: Command, one: CommandDescription, flag: string, value: string | undefined): string[] {
  const sink = { write: () => true } as never;
  let target: Program = command.program!({ stdout: sink, stderr: sink, env: {}, signal: new AbortController().signal });
  for (const name of one.path.slice(1)) target = target.commands.find((sub) => sub.name() === name)!;
  try {
    return target.parseOptions(normaliseFlags(value === undefined ? [flag] : [flag, '1'], target)).unknown;
  } catch (error) {
    // A flag that refuses the value is known.
    if ((error as { code?: string }).code === 'commander.invalidArgument') return [];
    throw error;
  }
}

describe('lictor --help', () => {
  it('lists every command below a heading', () => {
    for (const [name, row] of Object.entries(COMMANDS))
      expect(usage()).toMatch(new RegExp(`\n  ${name} +${row.summary.slice(0, 20)}`));
  });

  it('ends with 127 for what is no command, and speaks by the name it was called by', async () => {
    expect(await runForTest(main, ['constructor'])).toMatchObject({ code: 127 });
    expect((await runForTest(main, ['--help'], { invokedAs: 'consul' })).stdout).toContain('consul agent -dev');
    expect((await runForTest(main, ['nope'], { invokedAs: 'consul' })).stderr).toContain("'consul --help'");
    const hinting: Command = {
      name: 'x',
      summary: '',
      run: () => Promise.reject(new AppError('notFound', "none; 'lictor members' lists nodes")),
    };
    const row = { group: 'Run' as const, summary: '', load: async () => hinting };
    const asConsul: Command = { ...main, run: (argv, io) => runCommand(argv, io, { x: row }) };
    expect((await runForTest(asConsul, ['x'], { invokedAs: 'consul' })).stderr).toBe(
      "consul x: none; 'consul members' lists nodes\n",
    );
  });
});

describe('docs/cli.md', () => {
  it('is what the commands say (make cli-docs brings it up to date)', () => {
    expect(readFileSync(join(ROOT, 'docs/cli.md'), 'utf8')).toBe(cliReference(described, COMMANDS));
  });
});

describe('completion', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'lictor-completion-'));
    writeFileSync(join(folder, 'script'), completionScript('bash', 'lictor', described));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** What a real bash offers for these words, the last one being typed. */
  function offered(...words: string[]): string[] {
    const line = `source '${join(folder, 'script')}'; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lictor_complete; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const out = execFileSync('bash', ['--norc', '--noprofile', '-c', line, 'bash', 'lictor', ...words], {
      encoding: 'utf8',
    });
    return out.trim().split('\n').sort();
  }

  it('offers commands, sub-commands and flags in a real bash', () => {
    expect(offered('val')).toEqual(['validate']);
    expect(offered('').filter((word) => Object.hasOwn(COMMANDS, word))).toEqual(Object.keys(COMMANDS).sort());
    expect(offered('operator', 'raft', '')).toEqual(['list-peers', 'remove-peer', 'transfer-leader']);
    expect(offered('operator', 'raft', 'list-peers', '-http')).toEqual(['-http-addr']);
    expect(offered('catalog', 'nodes', '-service', 'web', '--dat')).toEqual(['--datacenter']);
    expect(offered('agent', '-config-d')).toEqual(['-config-dir']);
  });

  it('offers every sub-command there is', () => {
    for (const one of all.filter(({ children }) => children.length > 0)) {
      expect(offered(...one.path, '')).toEqual(one.children.map(({ path }) => path.at(-1)).sort());
    }
  });

  it('knows them in fish too', () => {
    const script = completionScript('fish', 'consul', described);
    for (const name of Object.keys(COMMANDS))
      expect(script).toContain(`complete -c consul -f -n '__consul_at ""' -a ${name} `);
    expect(script).toContain(`-n '__consul_at "operator raft list-peers"' -l http-addr -o http-addr -r`);
  });

  it('is installed once into the shells that are there, and removed', async () => {
    const home = join(folder, 'home');
    mkdirSync(join(home, '.config/fish'), { recursive: true });
    writeFileSync(join(home, '.bashrc'), 'export A=1\n');
    const change = (install: boolean) =>
      runForTest({ name: '', summary: '', run: async (_, io) => changeAutocomplete(install, io) }, [], {
        env: { HOME: home },
      });
    expect((await change(true)).stdout).toContain('installed for bash, fish');
    expect((await change(true)).stdout).toBe('Nothing to change\n');
    expect(readFileSync(join(home, '.bashrc'), 'utf8')).toBe(
      'export A=1\nsource <(lictor completion bash) # completion of lictor\n',
    );
    expect(existsSync(join(home, '.zshrc'))).toBe(false);
    await change(false);
    expect(readFileSync(join(home, '.bashrc'), 'utf8')).toBe('export A=1\n');
    expect(existsSync(join(home, '.config/fish/completions/lictor.fish'))).toBe(false);
  });
});

describe('a symlink named consul', () => {
  it('behaves as consul does for the test tools', () => {
    const folder = mkdtempSync(join(tmpdir(), 'lictor-consul-'));
    const consul = join(folder, 'consul');
    symlinkSync(join(ROOT, 'bin/lictor'), consul);
    const version = JSON.parse(execFileSync(consul, ['version', '-format=json'], { encoding: 'utf8' })) as {
      Version: string;
    };
    expect(version.Version).toMatch(/^1\.(1[4-9]|[2-9]\d)\.\d+$/);
    // Roles of configuration tools take the second word of the first line.
    for (const flag of ['version', '--version', '-v']) {
      const [first] = execFileSync(consul, [flag], { encoding: 'utf8' }).split('\n');
      expect([flag, first]).toEqual([flag, `Consul v${version.Version}`]);
    }
    expect(execFileSync(consul, ['--help'], { encoding: 'utf8' })).toContain('Usage: consul <command>');
    rmSync(folder, { recursive: true });
  });
});
