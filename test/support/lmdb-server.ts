import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../../core/clock.ts';
import { type Logger, silentLogger } from '../../core/log.ts';
import { SystemRandom } from '../../core/random.ts';
import { openLmdbStore } from '../../store/lmdb/open-lmdb-store.ts';
import type { Store } from '../../store/store.ts';
import { RunningServer } from './running-server.ts';

/** A server on the embedded store in a folder of its own, which outlives it. */
export class LmdbServer {
  readonly #dir: string;
  #store: Store;
  #server: RunningServer;
  readonly #log: Logger;

  private constructor(dir: string, store: Store, server: RunningServer, log: Logger) {
    this.#dir = dir;
    this.#log = log;
    this.#store = store;
    this.#server = server;
  }

  /** `log`: of the server. */
  static async start(log = silentLogger): Promise<LmdbServer> {
    const dir = mkdtempSync(join(tmpdir(), 'lictor-lmdb-server-'));
    const store = await open(dir);
    return new LmdbServer(dir, store, await RunningServer.start({ store, log }), log);
  }

  get store(): Store {
    return this.#store;
  }
  get server(): RunningServer {
    return this.#server;
  }

  /** Stops the server and its store, and starts both again on what is on disk; the new server. */
  async restart(): Promise<RunningServer> {
    await this.#stop();
    this.#store = await open(this.#dir);
    this.#server = await RunningServer.start({ store: this.#store, log: this.#log });
    return this.#server;
  }

  /** Stops both and removes the folder. */
  async remove(): Promise<void> {
    await this.#stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #stop(): Promise<void> {
    await this.#server.stop();
    await this.#store.close();
  }
}

function open(dir: string): Promise<Store> {
  return openLmdbStore({ dir, clock: new SystemClock(), log: silentLogger, random: new SystemRandom() });
}
