import { pino } from 'pino';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Structured facts of a line. Never tokens, keys or bodies. */
export type LogFields = Readonly<Record<string, unknown>>;

/** A structured logger. The text is constant; what varies goes into the fields. An `err` field is written with stack. */
export interface Logger {
  trace(text: string, fields?: LogFields): void;
  debug(text: string, fields?: LogFields): void;
  info(text: string, fields?: LogFields): void;
  warn(text: string, fields?: LogFields): void;
  error(text: string, fields?: LogFields): void;
  /** Whether lines of this level go anywhere now: to be asked before what is told costs something to find out. */
  wants(level: LogLevel): boolean;
  /** A logger whose every line carries these fields too. */
  child(fields: LogFields): Logger;
}

/** Lines of a logger for readers with a level of their own, below or above that of the sink. */
export interface LogTaps {
  /** Hands over every line from `level` on, as it is written, until the function it gives is called. */
  tap(level: LogLevel, sink: LogSink): () => void;
}

/** A logger whose level, and that of its children, can be changed while it is used. */
export interface AdjustableLogger extends Logger, LogTaps {
  setLevel(level: LogLevel): void;
}

/** A sink of finished log lines (one JSON object and a newline each). */
export interface LogSink {
  write(line: string): void;
}

/** A logger writing JSON lines to `sink` (standard error by default, so that standard output stays for results). */
export function createLogger(options: { level?: LogLevel; sink?: LogSink } = {}): AdjustableLogger {
  const gate = new Gate(rankOf(options.level ?? 'info'), options.sink ?? process.stderr);
  const base = pino(
    {
      // What is written is decided by the gate, for all children at once.
      level: 'trace',
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: withRoundMs },
    },
    gate,
  );
  return {
    ...wrap(base, gate),
    setLevel: (level) => gate.setLowest(rankOf(level)),
    tap: (level, sink) => gate.tap(rankOf(level), sink),
  };
}

/** Milliseconds, which their names tell, are written to a tenth: further digits are noise. */
function withRoundMs(fields: Record<string, unknown>): Record<string, unknown> {
  const round: Record<string, number> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === 'number' && /(^ms|Ms)$/.test(name)) round[name] = Math.round(value * 10) / 10;
  }
  return { ...fields, ...round };
}

function rankOf(level: LogLevel): number {
  return LOG_LEVELS.indexOf(level);
}

/** Decides which lines are made at all, and who gets them. */
class Gate implements LogSink {
  readonly #sink: LogSink;
  readonly #taps = new Set<{ readonly lowest: number; readonly sink: LogSink }>();
  #lowest: number;
  #floor: number;
  /** The rank of the line that is being written: lines are made and written in one go. */
  #rank = 0;

  constructor(lowest: number, sink: LogSink) {
    this.#lowest = lowest;
    this.#floor = lowest;
    this.#sink = sink;
  }

  setLowest(rank: number): void {
    this.#lowest = rank;
    this.#settle();
  }

  tap(lowest: number, sink: LogSink): () => void {
    const tap = { lowest, sink };
    this.#taps.add(tap);
    this.#settle();
    return () => {
      this.#taps.delete(tap);
      this.#settle();
    };
  }

  /** Whether anybody wants a line of this rank, which is the next one written. */
  opens(rank: number): boolean {
    this.#rank = rank;
    return rank >= this.#floor;
  }

  /** Whether anybody wants lines of this rank, without one being written. */
  wants(rank: number): boolean {
    return rank >= this.#floor;
  }

  write(line: string): void {
    const rank = this.#rank;
    if (rank >= this.#lowest) this.#sink.write(line);
    for (const tap of this.#taps) if (rank >= tap.lowest) tap.sink.write(line);
  }

  #settle(): void {
    this.#floor = Math.min(this.#lowest, ...[...this.#taps].map(({ lowest }) => lowest));
  }
}

function wrap(target: pino.Logger, gate: Gate): Logger {
  const at = (level: LogLevel) => {
    const rank = rankOf(level);
    return (text: string, fields: LogFields = {}): void => {
      if (gate.opens(rank)) target[level](fields, text);
    };
  };
  return {
    trace: at('trace'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    wants: (level) => gate.wants(rankOf(level)),
    child: (fields) => wrap(target.child(fields), gate),
  };
}

/** A logger that writes nothing. */
export const silentLogger: Logger = {
  trace() {},
  debug() {},
  info() {},
  warn() {},
  error() {},
  wants: () => false,
  child: () => silentLogger,
};
