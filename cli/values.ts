import { readFileSync, statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { AppError } from '../core/errors.ts';
import { fileProblem } from '../core/file-problem.ts';
import type { CommandIo } from './command.ts';

/** Far above what a server takes, and far below what a machine has. */
const MAX_VALUE_BYTES = 64 * 1024 * 1024;

/**
 * A value given as Consul's commands take it: `-` is standard input, `@path` a file, anything else itself.
 * @throws AppError `config` when it cannot be read or is longer than `maxBytes`.
 */
export async function readValue(given: string, io: CommandIo, maxBytes = MAX_VALUE_BYTES): Promise<Buffer> {
  if (given === '-') return readInput(io.stdin, maxBytes);
  if (given.startsWith('@')) return readFileValue(given.slice(1), maxBytes);
  return Buffer.from(given);
}

/** All of standard input. @throws AppError `config` when it is longer than `maxBytes`. */
export async function readInput(stdin: Readable | undefined, maxBytes = MAX_VALUE_BYTES): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin ?? []) {
    const bytes = Buffer.from(chunk as Buffer | string);
    size += bytes.length;
    if (size > maxBytes) throw tooLong('standard input', maxBytes);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

/** The bytes of a file. @throws AppError `config` when it cannot be read or is longer than `maxBytes`. */
export function readFileValue(path: string, maxBytes = MAX_VALUE_BYTES): Buffer {
  try {
    if (statSync(path).size > maxBytes) throw tooLong(path, maxBytes);
    return readFileSync(path);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError('config', `cannot read ${path}: ${fileProblem(cause)}`, { cause });
  }
}

function tooLong(what: string, maxBytes: number): AppError {
  return new AppError('config', `${what} holds more than ${maxBytes} bytes`);
}
