import { execFile } from 'node:child_process';
import type { CommandIo } from '../cli/command.ts';
import { errorText } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';

/** The runtime has no datagram sockets of Unix; systemd's own program says what they would, as the process that runs it. */
const PROGRAM = 'systemd-notify';
/** It waits until systemd has read what it says, 5 s at most. */
const TELL_MS = 10_000;

/**
 * Tells systemd when the agent is ready, reloads and stops (`Type=notify` and `notify-reload`, sd_notify(3)), one after
 * the other. Where nobody listens nothing is told; what cannot be told is logged, and the agent goes on.
 */
export class ServiceManager {
  readonly #io: Pick<CommandIo, 'env' | 'notifySocket'>;
  readonly #log: Logger;
  #state: 'starting' | 'ready' | 'stopping' = 'starting';
  #told: Promise<void> = Promise.resolve();

  /** `stopping` aborts when the agent stops, for whatever reason. */
  constructor(io: Pick<CommandIo, 'env' | 'notifySocket'>, deps: { log: Logger; stopping: AbortSignal }) {
    this.#io = io;
    this.#log = deps.log;
    deps.stopping.addEventListener('abort', () => this.#stopping(), { once: true });
  }

  ready(): void {
    if (this.#state !== 'starting') return;
    this.#state = 'ready';
    this.#tell('READY=1');
  }

  /** Runs a reload; before the agent is ready nothing is told of it. Rejects as the reload does. */
  async whileReloading(reload: () => Promise<void>): Promise<void> {
    if (this.#state === 'ready') this.#tell('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
    try {
      await reload();
    } finally {
      if (this.#state === 'ready') this.#tell('READY=1');
    }
  }

  #stopping(): void {
    this.#state = 'stopping';
    this.#tell('STOPPING=1');
  }

  #tell(...lines: string[]): void {
    const { notifySocket, env } = this.#io;
    if (!notifySocket) return;
    const options = { env: { ...env, NOTIFY_SOCKET: notifySocket }, timeout: TELL_MS };
    this.#told = this.#told.then(
      () =>
        new Promise((resolve) => {
          execFile(PROGRAM, lines, options, (error) => {
            if (error) this.#failed(error, lines);
            resolve();
          });
        }),
    );
  }

  #failed(error: Error, lines: readonly string[]): void {
    const advice = `install ${PROGRAM} with NotifyAccess=all in the unit, or use Type=exec`;
    this.#log.warn('systemd could not be told', { lines, text: errorText(error), advice });
  }
}
