import { Readable } from 'node:stream';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { LOG_LEVELS, type LogLevel, type LogTaps } from '../../core/log.ts';
import type { Route } from '../http/route.ts';
import { jsonLine, textLine } from './log-lines.ts';

export interface MonitorDeps {
  readonly logs: LogTaps;
  readonly clock: Pick<Clock, 'now'>;
}

/** Lines and characters kept for a reader that is slower than the log; what comes on top is lost, and said so. */
const MAX_LINES = 512;
const MAX_CHARS = 1024 * 1024;

/** GET /v1/agent/monitor: the agent's log as it is written, at a level of the reader's own. */
export function agentMonitorRoute(deps: MonitorDeps): Route {
  return {
    method: 'GET',
    path: '/v1/agent/monitor',
    handle(request) {
      const level = levelOf(request.query.get('loglevel') || 'info');
      const format = request.query.has('logjson') ? jsonLine : textLine;
      return {
        headers: { 'content-type': 'text/plain; charset=utf-8' },
        stream: new LogStream(deps, { level, format, signal: request.signal }),
      };
    },
  };
}

/** @throws AppError `badRequest`. */
function levelOf(text: string): LogLevel {
  const lower = text.toLowerCase();
  const level = LOG_LEVELS.find((one) => one === (lower === 'err' ? 'error' : lower));
  if (!level) throw new AppError('badRequest', `Unknown log level: ${text}`);
  return level;
}

/** A tap of the log as a stream that ends with the signal. */
class LogStream extends Readable {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #format: (line: string) => string;
  readonly #end: () => void;
  #waiting: string[] = [];
  #waitingChars = 0;
  #lost = 0;
  #wanted = false;

  constructor(deps: MonitorDeps, options: { level: LogLevel; format: (line: string) => string; signal: AbortSignal }) {
    super({ highWaterMark: 64 * 1024 });
    this.#clock = deps.clock;
    this.#format = options.format;
    const untap = deps.logs.tap(options.level, { write: (line) => this.#take(line) });
    const stop = () => {
      this.#end();
      this.push(null);
    };
    options.signal.addEventListener('abort', stop, { once: true });
    this.#end = () => {
      untap();
      options.signal.removeEventListener('abort', stop);
    };
    if (options.signal.aborted) stop();
  }

  override _read(): void {
    this.#wanted = true;
    this.#flush();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#end();
    this.#waiting = [];
    done(error);
  }

  #take(line: string): void {
    if (this.#waiting.length >= MAX_LINES || this.#waitingChars + line.length > MAX_CHARS) {
      this.#lost += 1;
      return;
    }
    this.#waiting.push(line);
    this.#waitingChars += line.length;
    this.#flush();
  }

  #flush(): void {
    while (this.#wanted && this.#waiting.length > 0) {
      const line = this.#waiting.shift()!;
      this.#waitingChars -= line.length;
      this.#wanted = this.push(this.#format(line));
    }
    if (this.#lost > 0 && this.#waiting.length === 0 && this.#wanted) this.#wanted = this.push(this.#note());
  }

  #note(): string {
    const note = {
      level: 'warn',
      time: new Date(this.#clock.now()).toISOString(),
      msg: 'lines were lost: the reader is slower than the log',
      part: 'monitor',
      lines: this.#lost,
    };
    this.#lost = 0;
    return this.#format(JSON.stringify(note));
  }
}
