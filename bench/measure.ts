import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Figure } from './run.ts';

/** What commits in a row have shown. */
export interface Writing {
  readonly perSecond: number;
  /** Seconds of this process's time. */
  readonly cpuPer1000: number;
}

/** One figure of a bench, as `run.ts` reads it. */
export function show(figure: Figure): void {
  console.log(JSON.stringify(figure));
}

/** The one in the middle, in the order of a number of each. */
export function median<T>(rounds: readonly T[], by: (round: T) => number): T {
  return [...rounds].sort((a, b) => by(a) - by(b))[rounds.length >> 1]!;
}

/** Appends of these bytes to a file of the folder, each with its own fdatasync, in a second. */
export function syncsPerSecond(folder: string, bytes: Buffer, forMs = 1000): number {
  const file = openSync(join(folder, 'appended'), 'a');
  const start = performance.now();
  let count = 0;
  for (; performance.now() - start < forMs; count++) {
    writeSync(file, bytes);
    fdatasyncSync(file);
  }
  const ms = performance.now() - start;
  closeSync(file);
  return (count / ms) * 1000;
}

/** Writes by so many writers, each one after another, for a while. */
export async function writing(
  writers: number,
  forMs: number,
  write: (n: number) => Promise<unknown>,
): Promise<Writing> {
  const start = performance.now();
  const cpu = process.cpuUsage();
  let started = 0;
  let count = 0;
  const writer = async (): Promise<void> => {
    while (performance.now() - start < forMs) {
      await write(started++);
      count++;
    }
  };
  await Promise.all(Array.from({ length: writers }, writer));
  const { user, system } = process.cpuUsage(cpu);
  return {
    perSecond: (count / (performance.now() - start)) * 1000,
    cpuPer1000: (user + system) / 1e6 / (count / 1000),
  };
}
