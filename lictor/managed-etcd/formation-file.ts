import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readFileIfPresent, removeFile, writeFileAtomically } from '../../core/atomic-file.ts';
import { AppError, errorText } from '../../core/errors.ts';
import { InTurn } from '../../core/in-turn.ts';
import { makeFolder } from '../../core/make-folder.ts';
import type { FormationMemory, FormedPeer } from './formation.ts';
import { type KnownServer, MAX_SERVERS } from './known-servers.ts';

/** A hundred servers with the longest names and addresses that are accepted fit twice. */
const MAX_BYTES = 256 * 1024;
const VERSION = 1;

/** What a server may not forget while it forms a cluster, in `formation.json` beside its etcd's data. */
export class FormationFile {
  readonly #path: string;
  /** One write at a time. */
  readonly #turn = new InTurn();
  #written = '';
  #removed = false;

  constructor(folder: string) {
    this.#path = join(folder, 'formation.json');
  }

  /** Undefined when there is none. @throws AppError `storeCorrupt`, `storeVersion`. */
  async read(): Promise<FormationMemory | undefined> {
    try {
      const size = await sizeOf(this.#path);
      if (size > MAX_BYTES) throw new AppError('storeCorrupt', `it has ${size} bytes, more than ${MAX_BYTES}`);
      const text = await readFileIfPresent(this.#path);
      return text === undefined ? undefined : memoryOf(text);
    } catch (error) {
      if (error instanceof AppError && error.code === 'storeVersion') throw error;
      throw new AppError(
        'storeCorrupt',
        `${this.#path}, which says what this server told others about the cluster to form, cannot be read ` +
          `(${errorText(error)}); start it when the others are in a cluster or stopped, with the file removed`,
        { cause: error },
      );
    }
  }

  /** Resolves when it is on disk; at once when it is already. @throws AppError `storeReadOnly`. */
  async save(memory: FormationMemory): Promise<void> {
    const text = `${JSON.stringify({ version: VERSION, ...memory }, undefined, 2)}\n`;
    await this.#next(async () => {
      if (this.#removed || text === this.#written) return;
      makeFolder(dirname(this.#path), 0o700);
      await writeFileAtomically(this.#path, text);
      this.#written = text;
    });
  }

  /** For good: the server is in a cluster, and etcd's data says so. @throws AppError `storeReadOnly`. */
  async remove(): Promise<void> {
    await this.#next(async () => {
      this.#removed = true;
      if (existsSync(this.#path)) await removeFile(this.#path);
    });
  }

  async #next(work: () => Promise<void>): Promise<void> {
    try {
      await this.#turn.run(work);
    } catch (cause) {
      throw new AppError('storeReadOnly', `${this.#path} cannot be written: ${errorText(cause)}`, { cause });
    }
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}

function memoryOf(text: string): FormationMemory {
  const value = objectOf(JSON.parse(text), 'the file');
  const { version, pledged, counted, formed } = value;
  if (typeof version === 'number' && version > VERSION) {
    throw new AppError('storeVersion', `formation.json was written by a newer version; use that`);
  }
  if (version !== VERSION) throw wrong('version', `must be ${VERSION}`);
  if (typeof pledged !== 'boolean') throw wrong('pledged', 'must be true or false');
  if (!Array.isArray(counted) || counted.length > MAX_SERVERS) {
    throw wrong('counted', `must be up to ${MAX_SERVERS} servers`);
  }
  return {
    pledged,
    counted: counted.map((one) => serverOf(objectOf(one, 'counted'))),
    ...(formed === undefined ? {} : { formed: formedOf(objectOf(formed, 'formed')) }),
  };
}

function serverOf(value: Record<string, unknown>): KnownServer {
  return { name: textOf(value, 'name'), address: textOf(value, 'address'), id: textOf(value, 'id', 0) };
}

function formedOf(value: Record<string, unknown>): FormedPeer {
  const { name, address, clusterId } = value;
  return {
    name: textOf({ name }, 'name'),
    address: textOf({ address }, 'address'),
    clusterId: textOf({ clusterId }, 'clusterId'),
  };
}

function objectOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw wrong(what, 'must be an object');
}

function textOf(value: Record<string, unknown>, field: string, least = 1): string {
  const text = value[field];
  if (typeof text === 'string' && text.length >= least && text.length <= 300) return text;
  throw wrong(field, `must be a text of ${least} to 300 characters`);
}

function wrong(field: string, what: string): AppError {
  return new AppError('storeCorrupt', `${field} ${what}`);
}
