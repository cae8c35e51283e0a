import type { Option, Command as Program } from 'commander';
import { AppError } from '../core/errors.ts';

/** Programs whose flags end at the first argument that is none (`lictor lock PREFIX CHILD -its-flag`). */
const STOPS_AT_ARGUMENT = new WeakSet<Program>();

/** Makes everything from the first argument on an argument, as Go programs do; for commands that run another one. */
export function stopAtFirstArgument(target: Program): Program {
  STOPS_AT_ARGUMENT.add(target);
  return target;
}

/**
 * Go programs take long flags with one dash (`-http-addr=x`) and booleans with a value (`-stale=false`); ours take both
 * spellings, and `-shell=false` where there is a `--no-shell`. Values, single letters and everything after `--` stay as they are.
 * @throws AppError `config` for a boolean flag with another value than true or false.
 */
export function normaliseFlags(argv: readonly string[], target: Program): string[] {
  const out: string[] = [];
  let at = target;
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i]!;
    if (arg === '--') return [...out, ...argv.slice(i)];
    if (!isFlag(arg)) {
      const sub = at.commands.find((one) => one.name() === arg || one.aliases().includes(arg));
      if (!sub && STOPS_AT_ARGUMENT.has(at)) return [...out, '--', ...argv.slice(i)];
      out.push(arg);
      at = sub ?? at;
      continue;
    }
    const flag = /^-[a-z]/i.test(arg) && /^-[^=]{2,}/.test(arg) ? `-${arg}` : arg;
    const [name] = flag.split('=', 1) as [string];
    const option = findOption(at, name);
    const opposite = option ? undefined : findOption(at, name.replace(/^--/, '--no-'));
    if (option && takesNoValue(option)) out.push(...booleanFlag(name, flag));
    else if (opposite) out.push(...(booleanFlag(name, flag).length > 0 ? [] : [opposite.long!]));
    else {
      out.push(flag);
      if (option?.required && !flag.includes('=') && i + 1 < argv.length) out.push(argv[++i]!);
    }
  }
  return out;
}

function isFlag(arg: string): boolean {
  return /^--?[a-z]/i.test(arg);
}

function findOption(target: Program, name: string): Option | undefined {
  return target.options.find((option) => option.long === name || option.short === name);
}

function takesNoValue(option: Option): boolean {
  return !option.required && !option.optional;
}

function booleanFlag(name: string, flag: string): string[] {
  if (!flag.includes('=')) return [flag];
  const value = flag.slice(name.length + 1).toLowerCase();
  if (value === 'true' || value === '1' || value === 't') return [name];
  if (value === 'false' || value === '0' || value === 'f') return [];
  throw new AppError('config', `${name}=${value}: use true or false`);
}
