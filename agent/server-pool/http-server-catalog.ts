import type { Member } from '../../api/routes/agent-local-backend.ts';
import { writerHeaders } from '../../api/routes/writer-headers.ts';
import type { AgentEntries, AssignedCheck, NodeHealth, VerdictReport } from '../../api/shapes/agent-sync.ts';
import type { Deregistration, Registration, WriterIdentity } from '../../api/shapes/registration.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { ServerCatalog } from './server-catalog.ts';
import { errorOf, readText, type ServerPool, type ServerResponse } from './server-pool.ts';

/** The time of a write, all servers tried: a server's commit waits for its disk at worst. */
const WRITE_DEADLINE_MS = 10_000;
const READ_DEADLINE_MS = 10_000;
/** Added to the wait of a blocking query (Consul's sixteenth, and the network). */
const BLOCKING_GRACE_MS = 10_000;
/** Definitions and entries of one node. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** The servers' HTTP API as an agent uses it. */
export class HttpServerCatalog implements ServerCatalog {
  readonly #pool: ServerPool;

  constructor(deps: { pool: ServerPool }) {
    this.#pool = deps.pool;
  }

  async register(registration: Registration, writer: WriterIdentity): Promise<void> {
    await this.#put('/v1/catalog/register', registration, writerHeaders(writer));
  }

  async deregister(target: Deregistration, writer: WriterIdentity): Promise<void> {
    await this.#put('/v1/catalog/deregister', target, writerHeaders(writer));
  }

  async entries(node: string, signal: AbortSignal): Promise<AgentEntries> {
    const response = await this.#get(`${agentPath(node)}/entries`, READ_DEADLINE_MS, signal);
    const body = await json<AgentEntries>(response);
    if (!Array.isArray(body?.Services) || !Array.isArray(body.Checks)) throw unexpected('entries');
    return body;
  }

  async definitions(
    node: string,
    options: { index: number; waitMs: number },
    signal: AbortSignal,
  ): Promise<{ index: number; checks: AssignedCheck[] }> {
    const { index, value } = await this.#blocking<AssignedCheck[]>(`${agentPath(node)}/definitions`, options, signal);
    if (!Array.isArray(value) || !Number.isSafeInteger(index)) throw unexpected('definitions');
    return { index, checks: value };
  }

  async health(
    node: string,
    options: { index: number; waitMs: number },
    signal: AbortSignal,
  ): Promise<{ index: number; health: NodeHealth }> {
    const { index, value } = await this.#blocking<NodeHealth>(`${agentPath(node)}/health`, options, signal);
    if (!Array.isArray(value?.Checks) || !Array.isArray(value.Services) || !Number.isSafeInteger(index))
      throw unexpected('health');
    return { index, health: value };
  }

  async report(node: string, { SerfPort, ...report }: VerdictReport): Promise<void> {
    const query = SerfPort === undefined ? '' : `?serf_port=${SerfPort}`;
    await this.#put(`${agentPath(node)}/verdicts${query}`, report, {});
  }

  /** The nodes that have had an agent, as the servers know them. */
  async members(signal: AbortSignal): Promise<readonly Member[]> {
    const members = await json<Member[]>(await this.#get('/v1/internal/members', READ_DEADLINE_MS, signal));
    if (!Array.isArray(members)) throw unexpected('members');
    return members;
  }

  async #blocking<T>(
    path: string,
    options: { index: number; waitMs: number },
    signal: AbortSignal,
  ): Promise<{ index: number; value: T }> {
    const query = options.index > 0 ? `?index=${options.index}&wait=${Math.round(options.waitMs)}ms` : '';
    const deadlineMs = (options.index > 0 ? options.waitMs * (1 + 1 / 16) : 0) + BLOCKING_GRACE_MS;
    const response = await this.#get(`${path}${query}`, deadlineMs, signal);
    const index = Number(response.headers['x-consul-index']);
    return { index, value: await json<T>(response) };
  }

  async #get(path: string, deadlineMs: number, signal: AbortSignal): Promise<ServerResponse> {
    const response = await this.#pool.request({ method: 'GET', path, deadlineMs, signal });
    if (response.statusCode !== 200) throw await errorOf(response);
    return response;
  }

  async #put(path: string, body: object, headers: Record<string, string>): Promise<void> {
    const response = await this.#pool.request({
      method: 'PUT',
      // What a node says of itself is the same however often it is said.
      repeatable: true,
      path,
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      deadlineMs: WRITE_DEADLINE_MS,
    });
    if (response.statusCode !== 200) throw await errorOf(response);
    await response.body.dump().catch(() => {});
  }
}

async function json<T>(response: ServerResponse): Promise<T> {
  const text = await readText(response, MAX_ANSWER_BYTES);
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    throw new AppError('unavailable', `a server's answer is not JSON: ${errorText(error)}`, { cause: error });
  }
}

function agentPath(node: string): string {
  return `/v1/internal/agent/${encodeURIComponent(node)}`;
}

function unexpected(what: string): AppError {
  return new AppError('unavailable', `a server's answer for ${what} has another form; is it another program's port?`);
}
