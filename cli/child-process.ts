import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { SystemClock } from '../core/clock.ts';

/** Where the output of a child goes. */
export interface ChildIo {
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/** How a child ended. */
export interface ChildExit {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What a child has written before it ends is there within this time; more may come from what it has left behind. */
const DRAIN_MS = 200;

/** Hands on what a child with pipes writes. */
export function forwardOutput(child: ChildProcess, io: ChildIo): void {
  child.stdout?.pipe(io.stdout, { end: false });
  child.stderr?.pipe(io.stderr, { end: false });
}

/**
 * Resolves when the process itself has ended and what it wrote was read. A program that it has left in the background
 * keeps its pipes open: that one's output is still handed on, but is not waited for and does not keep this process.
 * Rejects with what kept it from being started.
 */
export function exited(child: ChildProcess): Promise<ChildExit> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      const done = () => {
        timer.cancel();
        for (const pipe of [child.stdout, child.stderr]) (pipe as Socket | null)?.unref();
        resolve({ code, signal });
      };
      const timer = new SystemClock().after(DRAIN_MS, done, { keepAlive: true });
      child.once('close', done);
    });
  });
}
