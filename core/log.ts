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
  /** A logger whose every line carries these fields too. */
  child(fields: LogFields): Logger;
}

/** A logger whose level, and that of its children, can be changed while it is used. */
export interface AdjustableLogger extends Logger {
  setLevel(level: LogLevel): void;
}

/** A sink of finished log lines (one JSON object and a newline each). */
export interface LogSink {
  write(line: string): void;
}

/** A logger writing JSON lines to `sink` (standard error by default, so that standard output stays for results). */
export function createLogger(options: { level?: LogLevel; sink?: LogSink } = {}): AdjustableLogger {
  const base = pino(
    {
      // What is written is decided in `wrap`, for all children at once.
      level: 'trace',
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    options.sink ?? process.stderr,
  );
  const gate = { lowest: LOG_LEVELS.indexOf(options.level ?? 'info') };
  return {
    ...wrap(base, gate),
    setLevel: (level) => {
      gate.lowest = LOG_LEVELS.indexOf(level);
    },
  };
}

function wrap(target: pino.Logger, gate: { readonly lowest: number }): Logger {
  const at = (level: LogLevel) => {
    const rank = LOG_LEVELS.indexOf(level);
    return (text: string, fields: LogFields = {}): void => {
      if (rank >= gate.lowest) target[level](fields, text);
    };
  };
  return {
    trace: at('trace'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
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
  child: () => silentLogger,
};
