import { Agent, request as httpsRequest } from 'node:https';

/** An answer of the API server. */
export interface ApiAnswer<T = unknown> {
  readonly status: number;
  readonly body: T;
}

/** A refusal of the API server: its status and the text of its Status object. */
export class ApiRefusal extends Error {
  readonly status: number;
  readonly reason: string;

  constructor(method: string, path: string, status: number, body: unknown) {
    const { message, reason } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, string>;
    super(`${method} ${path}: ${status} ${message ?? JSON.stringify(body)}`);
    this.status = status;
    this.reason = reason ?? '';
  }
}

/** The patch types by the name kubectl gives them. */
export const PATCH_TYPES = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;

/**
 * A plain client of the API server for tests: no library, no retries, so that what a test sees is what the server
 * answered.
 */
export class ApiClient {
  readonly url: string;
  readonly token: string;
  readonly #agent: Agent;

  constructor(options: { url: string; token: string; ca: string }) {
    this.url = options.url;
    this.token = options.token;
    this.#agent = new Agent({ ca: options.ca, keepAlive: true, maxSockets: 16 });
  }

  /** One call; every status is an answer, only a broken connection or no answer within 30 s rejects. */
  call<T = unknown>(
    method: string,
    path: string,
    body?: unknown,
    contentType = 'application/json',
  ): Promise<ApiAnswer<T>> {
    return new Promise((resolve, reject) => {
      const headers: Record<string, string | number> = {
        authorization: `Bearer ${this.token}`,
        accept: 'application/json',
      };
      const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
      if (text !== undefined) {
        headers['content-type'] = contentType;
        headers['content-length'] = Buffer.byteLength(text);
      }
      const request = httpsRequest(
        new URL(path, this.url),
        { method, headers, agent: this.#agent, timeout: 30_000 },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.once('error', reject);
          response.once('end', () => {
            const answer = Buffer.concat(chunks).toString('utf8');
            const isJson = response.headers['content-type']?.includes('json') === true && !path.includes('watch=');
            resolve({
              status: response.statusCode ?? 0,
              body: (isJson && answer !== '' ? JSON.parse(answer) : answer) as T,
            });
          });
        },
      );
      request.once('timeout', () => request.destroy(new Error(`${method} ${path}: no answer within 30 s`)));
      request.once('error', reject);
      request.end(text);
    });
  }

  /**
   * The body of a 2xx answer.
   * @throws ApiRefusal with the server's text otherwise.
   */
  async request<T = unknown>(method: string, path: string, body?: unknown, contentType?: string): Promise<T> {
    const answer = await this.call<T>(method, path, body, contentType);
    if (answer.status < 200 || answer.status > 299) throw new ApiRefusal(method, path, answer.status, answer.body);
    return answer.body;
  }

  get<T = unknown>(path: string): Promise<T> {
    return this.request<T>('GET', path);
  }
  post<T = unknown>(path: string, body: unknown): Promise<T> {
    return this.request<T>('POST', path, body);
  }
  put<T = unknown>(path: string, body: unknown): Promise<T> {
    return this.request<T>('PUT', path, body);
  }
  patch<T = unknown>(path: string, body: unknown, type: keyof typeof PATCH_TYPES = 'merge'): Promise<T> {
    return this.request<T>('PATCH', path, body, PATCH_TYPES[type]);
  }

  /** Deletes an object; false when it was not there. */
  async delete(path: string, options: { graceSeconds?: number } = {}): Promise<boolean> {
    const body = options.graceSeconds === undefined ? {} : { gracePeriodSeconds: options.graceSeconds };
    const answer = await this.call('DELETE', path, body);
    if (answer.status === 404) return false;
    if (answer.status > 299) throw new ApiRefusal('DELETE', path, answer.status, answer.body);
    return true;
  }

  close(): void {
    this.#agent.destroy();
  }
}
