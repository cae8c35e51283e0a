import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Backoff } from '../../core/backoff.ts';
import type { Clock } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import type { Random } from '../../core/random.ts';
import type { HttpApi } from '../http-api.ts';
import type { ReadArchive } from '../snapshot.ts';
import { fileError } from './file.ts';
import { type SnapshotTarget, surplus } from './snapshot-target.ts';

export interface ScheduleDeps {
  readonly api: Pick<HttpApi, 'stream'>;
  readonly target: SnapshotTarget;
  readonly readArchive: ReadArchive;
  readonly clock: Clock;
  readonly random: Pick<Random, 'next'>;
  readonly say: (text: string) => void;
  /** Called after each try; the error's text, or undefined after a success. */
  readonly onResult: (failure: string | undefined) => void;
}

export interface ScheduleOptions {
  readonly intervalMs: number;
  readonly retain: number;
  readonly maxFailures: number;
  /** An existing folder. */
  readonly scratchPath: string;
}

/** Large archives take long; the signal ends it sooner. */
const FETCH_MS = 3600_000;
/** What is named by a later time than this was not named by a clock. */
const MAX_AHEAD_NS = 30n * 24n * 3600n * 1_000_000_000n;
/** Failed tries follow each other at these pauses, never longer than the interval. */
const RETRY = { baseMs: 5000, maxMs: 300_000, jitter: 0.2 };

/** Takes snapshots: fetched, verified, stored whole, and only then are those that are too many removed. */
export class SnapshotSchedule {
  readonly #deps: ScheduleDeps;
  readonly #options: ScheduleOptions;
  #lastId = 0n;

  constructor(deps: ScheduleDeps, options: ScheduleOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** One after each interval until the signal aborts; also ends when `maxFailures` in a row have failed. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, say, onResult } = this.#deps;
    const { intervalMs, maxFailures } = this.#options;
    const backoff = new Backoff({ random }, { ...RETRY, baseMs: Math.min(RETRY.baseMs, intervalMs) });
    while (!signal.aborted) {
      let pauseMs = intervalMs;
      try {
        await this.save(signal);
        backoff.reset();
        onResult(undefined);
      } catch (error) {
        if (signal.aborted) return;
        pauseMs = Math.min(intervalMs, backoff.next());
        say(`Snapshot failed (${backoff.failures} in a row): ${errorText(error)}`);
        onResult(errorText(error));
        if (backoff.failures >= maxFailures) return;
      }
      await clock.sleep(pauseMs, signal);
    }
  }

  /** One snapshot; its id. @throws AppError. */
  async save(signal: AbortSignal): Promise<string> {
    const { api, target, readArchive, say } = this.#deps;
    const id = await this.#nextId(signal);
    const folder = await this.#scratch();
    const file = join(folder, `${id}.snap`);
    try {
      const { body } = await api.stream('GET', '/v1/snapshot', { timeoutMs: FETCH_MS });
      await pipeline(body, createWriteStream(file, { mode: 0o600 }), { signal });
      await readArchive(file, () => {});
      await target.put(id, file, signal);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    say(`Saved snapshot ${id} to ${target.name}`);
    await this.#retain(id, signal);
    return id;
  }

  /** The new one is stored: that an old one cannot be removed is no failure of it. */
  async #retain(newest: string, signal: AbortSignal): Promise<void> {
    const { target, say } = this.#deps;
    if (!target.keepsSeveral) return;
    try {
      const ids = await target.list(signal);
      // What was just stored and is not listed says that the list is not to be relied on.
      if (!ids.includes(newest)) return;
      for (const id of surplus(ids, this.#options.retain, newest)) {
        await target.remove(id, signal);
        say(`Removed snapshot ${id}`);
      }
    } catch (error) {
      say(`Old snapshots could not be removed, tried again with the next one: ${errorText(error)}`);
    }
  }

  async #nextId(signal: AbortSignal): Promise<string> {
    const now = BigInt(Math.trunc(this.#deps.clock.now())) * 1_000_000n;
    if (this.#lastId === 0n) this.#lastId = await this.#newestThere(now, signal);
    this.#lastId = now > this.#lastId ? now : this.#lastId + 1n;
    return String(this.#lastId);
  }

  /** The newest that is there may have been taken under a clock that was ahead: the next one must not count as older. */
  async #newestThere(now: bigint, signal: AbortSignal): Promise<bigint> {
    const { target } = this.#deps;
    if (!target.keepsSeveral) return 0n;
    try {
      let newest = 0n;
      for (const id of (await target.list(signal)).map(BigInt)) {
        if (id > newest && id < now + MAX_AHEAD_NS) newest = id;
      }
      return newest;
    } catch {
      // Where it cannot be listed, storing tells what is wrong.
      return 0n;
    }
  }

  async #scratch(): Promise<string> {
    try {
      return await mkdtemp(join(this.#options.scratchPath, 'lictor-snapshot-'));
    } catch (error) {
      throw fileError(error, this.#options.scratchPath);
    }
  }
}
