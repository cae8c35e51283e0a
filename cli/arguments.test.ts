import { Command as Program } from 'commander';
import { normaliseFlags, stopAtFirstArgument } from './arguments.ts';

describe('flags as Go programs take them', () => {
  const target = new Program('probe')
    .option('--stale', '')
    .option('--no-shell', '')
    .option('--name <name>', '')
    .option('-n, --limit <n>', '');
  const read = (...argv: string[]) => normaliseFlags(argv, target);

  it.each<[string[], string[]]>([
    [['-stale'], ['--stale']],
    [['-stale=true'], ['--stale']],
    [['-stale=F'], []],
    [['-shell=false'], ['--no-shell']],
    [['--shell=0'], ['--no-shell']],
    [['-shell'], []],
    [['-shell=true'], []],
    [['-no-shell'], ['--no-shell']],
    [['-no-shell=false'], []],
    [['-name=-stale'], ['--name=-stale']],
    [
      ['-name', '-stale'],
      ['--name', '-stale'],
    ],
    [
      ['-n', '3'],
      ['-n', '3'],
    ],
    [
      ['--', '-stale'],
      ['--', '-stale'],
    ],
    [['-other=x'], ['--other=x']],
  ])('%j is %j', (given, expected) => {
    expect(read(...given)).toEqual(expected);
  });

  it('end at the first argument of commands that run another one', () => {
    const runs = stopAtFirstArgument(new Program('lock').option('--no-shell', ''));
    expect(normaliseFlags(['-shell=false', 'prefix', 'ls', '-shell'], runs)).toEqual([
      '--no-shell',
      '--',
      'prefix',
      'ls',
      '-shell',
    ]);
  });

  it('have true or false as values', () => {
    expect(() => read('-stale=maybe')).toThrow('--stale=maybe: use true or false');
    expect(() => read('-shell=maybe')).toThrow('--shell=maybe: use true or false');
  });
});
