/** A finished line of the agent's log, as the logger writes it: one JSON object. */
interface LogRecord {
  readonly level: string;
  readonly time: string;
  readonly msg: string;
  readonly part?: string;
  readonly [field: string]: unknown;
}

const STANDARD = new Set(['level', 'time', 'msg', 'part']);

/** The line as Consul's text log has it: time, level, module, message and the rest as key=value. */
export function textLine(line: string): string {
  const record = JSON.parse(line) as LogRecord;
  const level = `[${record.level.toUpperCase()}]`.padEnd(7);
  const fields = Object.entries(record).filter(([name]) => !STANDARD.has(name));
  const pairs = fields.map(([name, value]) => `${name}=${fieldText(value)}`).join(' ');
  return `${record.time} ${level} ${moduleOf(record)}: ${record.msg}${pairs === '' ? '' : `: ${pairs}`}\n`;
}

/** The line as Consul's JSON log has it. */
export function jsonLine(line: string): string {
  const record = JSON.parse(line) as LogRecord;
  const { level, time, msg, part: _part, ...fields } = record;
  return `${JSON.stringify({ '@level': level, '@message': msg, '@module': moduleOf(record), '@timestamp': time, ...fields })}\n`;
}

function moduleOf({ part }: LogRecord): string {
  return part === undefined || part === 'agent' ? 'agent' : `agent.${part}`;
}

function fieldText(value: unknown): string {
  const message = (value as { message?: unknown } | null)?.message;
  const text = typeof value === 'string' ? value : typeof message === 'string' ? message : JSON.stringify(value);
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}
