import type { Authorization, AuthorizeRequest, CaRoots, IssuedCertificate } from '../../api/shapes/connect.ts';
import { AppError, errorText } from '../../core/errors.ts';
import { errorOf, readText, type ServerPool, type ServerResponse } from '../server-pool/server-pool.ts';
import type { MeshAuthority } from './mesh-authority.ts';

const DEADLINE_MS = 10_000;
/** Roots with their intermediate certificates. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** The authority in the servers, over their HTTP API. */
export class HttpMeshAuthority implements MeshAuthority {
  readonly #pool: Pick<ServerPool, 'request'>;

  constructor(deps: { pool: Pick<ServerPool, 'request'> }) {
    this.#pool = deps.pool;
  }

  async roots(
    options: { index: number; waitMs: number },
    signal: AbortSignal,
  ): Promise<{ index: number; roots: CaRoots }> {
    const query = options.index > 0 ? `?index=${options.index}&wait=${Math.round(options.waitMs)}ms` : '';
    // Consul's sixteenth for the jitter, and the network.
    const deadlineMs = (options.index > 0 ? options.waitMs * (1 + 1 / 16) : 0) + DEADLINE_MS;
    const path = `/v1/connect/ca/roots${query}`;
    const response = await this.#pool.request({ method: 'GET', path, deadlineMs, signal });
    const roots = await body<CaRoots>(response);
    const index = Number(response.headers['x-consul-index']);
    if (!Array.isArray(roots?.Roots) || !Number.isSafeInteger(index)) throw unexpected('roots');
    return { index, roots };
  }

  async sign(csr: string): Promise<IssuedCertificate> {
    const issued = await this.#put<IssuedCertificate>('/v1/internal/connect/sign', { CSR: csr });
    if (typeof issued?.CertPEM !== 'string' || !Number.isSafeInteger(issued.Index)) throw unexpected('a certificate');
    return issued;
  }

  async authorize(request: AuthorizeRequest): Promise<Authorization> {
    const answer = await this.#put<Authorization>('/v1/internal/connect/authorize', request);
    if (typeof answer?.Authorized !== 'boolean') throw unexpected('an authorization');
    return answer;
  }

  async #put<T>(path: string, value: object): Promise<T> {
    const response = await this.#pool.request({
      method: 'PUT',
      repeatable: true,
      path,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(value),
      deadlineMs: DEADLINE_MS,
    });
    return body<T>(response);
  }
}

async function body<T>(response: ServerResponse): Promise<T> {
  if (response.statusCode !== 200) throw await errorOf(response);
  const text = await readText(response, MAX_ANSWER_BYTES);
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    throw new AppError('unavailable', `a server's answer is not JSON: ${errorText(error)}`, { cause: error });
  }
}

function unexpected(what: string): AppError {
  return new AppError('unavailable', `a server's answer for ${what} has another form; is it another program's port?`);
}
