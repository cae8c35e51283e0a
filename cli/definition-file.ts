import { AppError, errorText } from '../core/errors.ts';
import { type ParsedHcl, parseHcl } from '../core/hcl/parse-hcl.ts';
import type { CommandIo } from './command.ts';
import { readFileValue, readInput } from './values.ts';

/** What a file of definitions holds. */
export interface DefinitionFile {
  /** The path as it was given; "standard input" for `-`. */
  readonly name: string;
  readonly value: Readonly<Record<string, unknown>>;
}

/** Thousands of definitions fit. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * Reads a file, or standard input for `-`, as HCL or JSON: by its ending, else by its first character. A key that is
 * given twice counts once, with a line on standard error. @throws AppError `config` naming the file and the place.
 */
export async function readDefinitionFile(path: string, io: CommandIo): Promise<DefinitionFile> {
  const name = path === '-' ? 'standard input' : path;
  const bytes = path === '-' ? await readInput(io.stdin, MAX_BYTES) : readFileValue(path, MAX_BYTES);
  const { value, duplicates } = parseDefinitions(name, bytes.toString());
  for (const { key, line } of duplicates) {
    io.stderr.write(`${name}: line ${line}: ${key} is given again; this one counts\n`);
  }
  return { name, value };
}

/** @throws AppError `config` naming the file and the place. */
export function parseDefinitions(name: string, text: string): ParsedHcl {
  if (text.trim() === '') throw new AppError('config', `${name} is empty; write definitions in HCL or JSON`);
  try {
    return isJson(name, text) ? parseJson(text) : parseHcl(text);
  } catch (cause) {
    throw new AppError('config', `${name}: ${errorText(cause)}`, { cause });
  }
}

function isJson(name: string, text: string): boolean {
  if (/\.json$/i.test(name)) return true;
  return !/\.hcl$/i.test(name) && /^\uFEFF?\s*[{[]/.test(text);
}

/** JSON's own parser is the stricter one; the other one knows which keys are given twice. */
function parseJson(text: string): ParsedHcl {
  const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AppError('config', 'must hold one JSON object');
  }
  return parseHcl(text, { interpolation: false });
}
