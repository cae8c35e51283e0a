import { eventually } from './eventually.ts';
import type { AgentProcess } from './processes/lictor.ts';

/** Longer than a server holds a request for a leader. */
const ANSWER_MS = 20_000;

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly index: number;
}

/** @throws Error when there is no answer. */
export async function ask(server: AgentProcess, method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(`${server.url}${path}`, {
    method,
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  const text = await response.text();
  return { status: response.status, text, index: Number(response.headers.get('x-consul-index')) };
}

/** Makes a session on a node that is registered with it, without checks; its id. */
export async function createSession(server: AgentProcess, content: object): Promise<string> {
  const node = await ask(server, 'PUT', '/v1/catalog/register', { Node: 'clients', Address: '10.9.9.9' });
  if (node.status !== 200) throw new Error(`no node: ${node.status} ${node.text}`);
  const made = await ask(server, 'PUT', '/v1/session/create', { Node: 'clients', NodeChecks: [], ...content });
  if (made.status !== 200) throw new Error(`no session: ${made.status} ${made.text}`);
  return (JSON.parse(made.text) as { ID: string }).ID;
}

/** Whether the session got the lock. @throws Error for any other answer. */
export async function acquire(server: AgentProcess, key: string, session: string): Promise<boolean> {
  const { status, text } = await ask(server, 'PUT', `/v1/kv/${key}?acquire=${session}`, 'v');
  if (status !== 200) throw new Error(`acquire ${key}: ${status} ${text}`);
  return text.trim() === 'true';
}

/** The one that all of these servers take for the leader. */
export function leaderOf(servers: readonly AgentProcess[]): Promise<AgentProcess> {
  return eventually(
    async () => {
      const known = await Promise.all(servers.map((server) => server.get<string>('/v1/status/leader')));
      const found = servers.find(({ serverPort }) => known.every((address) => address.endsWith(`:${serverPort}`)));
      if (!found) throw new Error(`they do not agree: ${known.join(', ')}`);
      return found;
    },
    { withinMs: 60_000 },
  );
}
