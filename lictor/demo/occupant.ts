/** An instance of a demo: its name, and the process that it is. */
export interface DemoIdentity {
  readonly name: string;
  readonly pid: number;
}

const HEADER = 'x-lictor-demo-instance';
const ANSWER_MS = 1_000;

/** The header by which an instance tells who it is, with each answer. */
export function identityHeader({ name, pid }: DemoIdentity): [string, string] {
  return [HEADER, `${name} ${pid}`];
}

/** Why an instance cannot have its port, and what to do: who has it is asked. */
export async function portTaken(wanted: { name: string; host: string; port: number }): Promise<string> {
  const { name, host, port } = wanted;
  const other = await occupant(host, port);
  if (!other)
    return `port ${port} is taken by another program: find it with 'lsof -i :${port}' and stop it (${name} needs it)`;
  const { pid } = other;
  return `port ${port} is taken by ${other.name} of another demo (process ${pid}): end that demo with Ctrl-C, or this process with 'kill ${pid}'`;
}

/** The instance that listens there; undefined for any other program. */
async function occupant(host: string, port: number): Promise<DemoIdentity | undefined> {
  try {
    // An instance that gets its port does without the HTTP client's memory.
    const { request } = await import('undici');
    const { body, headers } = await request(`http://${host}:${port}/`, {
      // A connection that is kept would hold the process.
      reset: true,
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    body.on('error', () => {}).destroy();
    const found = /^([\w-]{1,64}) (\d{1,10})$/.exec(String(headers[HEADER]));
    return found ? { name: found[1]!, pid: Number(found[2]) } : undefined;
  } catch {
    return undefined;
  }
}
