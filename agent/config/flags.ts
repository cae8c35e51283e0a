import { AppError } from '../../core/errors.ts';
import { nearestOnes } from '../../core/nearest.ts';
import { advertiseProblem } from './advertise-address.ts';
import type { ConfigFormat } from './config-text.ts';
import { FLAGS, FLAGS_WITHOUT_EFFECT, KEYS, OTHER_FLAGS, type ValueKind } from './keys.ts';
import { nodeMetaProblem } from './node-meta.ts';
import { type RawConfig, readDuration, setRaw } from './raw-config.ts';

/** The command line in three parts: values by key, files in order, and what the flags alone can say. */
export interface ParsedFlags {
  readonly raw: RawConfig;
  readonly files: readonly { readonly kind: 'file' | 'dir'; readonly path: string }[];
  /** Fragments given with -hcl, in order. */
  readonly fragments: readonly string[];
  /** The format of all files; undefined = as their names tell. */
  readonly format: ConfigFormat | undefined;
  readonly dev: boolean;
  readonly warnings: readonly string[];
}

/**
 * Reads flags in all of Go's forms: -x, --x, -x=value, -x value; a flag of a bool takes its value only with `=`.
 * @throws AppError `config` naming the flag and the nearest known one.
 */
export function parseFlags(argv: readonly string[]): ParsedFlags {
  const raw: RawConfig = new Map();
  const files: { kind: 'file' | 'dir'; path: string }[] = [];
  const warnings: string[] = [];
  const fragments: string[] = [];
  let format: ConfigFormat | undefined;
  let dev = false;
  for (let at = 0; at < argv.length; at++) {
    const match = /^--?([^=-][^=]*)(?:=(.*))?$/s.exec(argv[at]!);
    if (!match) throw flagError(argv[at]!, 'is not a flag; flags begin with a hyphen, for example -node=web1');
    const name = match[1]!;
    const take = (): string => {
      const value = match[2] ?? argv[++at];
      if (value === undefined) throw flagError(`-${name}`, 'needs a value');
      return value;
    };
    if (name === 'dev') dev = readBool(name, match[2]);
    else if (name === 'config-file') files.push({ kind: 'file', path: take() });
    else if (name === 'config-dir') files.push({ kind: 'dir', path: take() });
    else if (name === 'config-format') format = configFormat(take());
    else if (name === 'hcl') fragments.push(take());
    else if (FLAGS[name]) setFlag(raw, name, match[2], take);
    else if (name in FLAGS_WITHOUT_EFFECT) {
      const value = FLAGS_WITHOUT_EFFECT[name] ? take() : '';
      const problem = name === 'advertise-wan' ? advertiseProblem(value, 'Advertise WAN') : undefined;
      if (problem) throw flagError('-advertise-wan:', problem);
      warnings.push(`-${name} has no effect here`);
    } else {
      throw flagError(`-${name}`, `is not a flag of the agent; ${guess(name)}'lictor agent --help' lists them`);
    }
  }
  return { raw, files, fragments, format, dev, warnings };
}

function guess(name: string): string {
  const known = [FLAGS, OTHER_FLAGS, FLAGS_WITHOUT_EFFECT].flatMap((table) => Object.keys(table));
  const near = nearestOnes(name, known, 3).map((flag) => `-${flag}`);
  return near.length === 0 ? '' : `did you mean ${near.join(' or ')}? `;
}

function setFlag(raw: RawConfig, name: string, inline: string | undefined, take: () => string): void {
  const key = FLAGS[name]!;
  const value = KEYS[key] === 'bool' ? readBool(name, inline) : flagValue(name, KEYS[key]!, take());
  const wrongMeta = key === 'node_meta' ? nodeMetaProblem(value as Record<string, string>) : undefined;
  if (wrongMeta) throw flagError(`-${name} ${wrongMeta.key}:`, wrongMeta.problem);
  setRaw(raw, key, value);
}

function flagValue(name: string, kind: ValueKind, text: string): unknown {
  switch (kind) {
    case 'int':
      if (!/^-?\d{1,9}$/.test(text)) {
        throw flagError(`-${name}`, `must be a whole number, found ${JSON.stringify(text)}`);
      }
      return Number(text);
    case 'duration':
      return readDuration(text, `-${name}`, '');
    case 'strings':
      return [text];
    case 'stringMap': {
      const [key, ...rest] = text.split(':');
      if (!key || rest.length === 0) throw flagError(`-${name}`, 'must be key:value');
      return { [key]: rest.join(':') };
    }
    default:
      return text;
  }
}

function readBool(name: string, value: string | undefined): boolean {
  if (value === undefined || /^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw flagError(`-${name}`, `must be true or false, found ${JSON.stringify(value)}`);
}

function configFormat(format: string): ConfigFormat {
  if (format === 'hcl' || format === 'json') return format;
  throw flagError('-config-format', `must be hcl or json, found ${JSON.stringify(format)}`);
}

function flagError(flag: string, text: string): AppError {
  return new AppError('config', `${flag} ${text}`, { facts: { field: flag } });
}
