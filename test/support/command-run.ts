import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable, Writable } from 'node:stream';
import type { Command, CommandIo } from '../../cli/command.ts';

/** A request as the fake API saw it. */
export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface FakeAnswer {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  /** Sent as it is when a string or bytes, else as JSON. */
  readonly body?: unknown;
}

/** What a command printed, and how it ended. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** An HTTP API whose answers a test gives, for commands. Keys: `GET /v1/path` (without the query). */
export class FakeApi {
  readonly seen: SeenRequest[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(answers: Record<string, FakeAnswer | ((request: SeenRequest) => FakeAnswer)>): Promise<FakeApi> {
    const server = createServer();
    const api = new FakeApi(server);
    server.on('request', async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const { method = '', url = '', headers } = request;
      const seen = { method, url, headers, body: Buffer.concat(chunks).toString() };
      api.seen.push(seen);
      const found = answers[`${method} ${new URL(url, 'http://x').pathname}`];
      const answer = typeof found === 'function' ? found(seen) : (found ?? { status: 404, body: 'no such answer' });
      response.writeHead(answer.status ?? 200, answer.headers);
      const { body = '' } = answer;
      response.end(typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return api;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Runs a command against it; AppErrors are thrown. */
  run(
    command: Command,
    argv: readonly string[],
    io: Partial<CommandIo> & { input?: string } = {},
  ): Promise<CommandResult> {
    return runForTest(command, argv, { ...io, env: { CONSUL_HTTP_ADDR: this.address, ...io.env } });
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Runs a command without any API; AppErrors are thrown. */
export async function runForTest(
  command: Command,
  argv: readonly string[],
  io: Partial<CommandIo> & { input?: string } = {},
): Promise<CommandResult> {
  const printed = { stdout: '', stderr: '' };
  const sink = (name: 'stdout' | 'stderr') =>
    new Writable({
      write(chunk, _encoding, done) {
        printed[name] += String(chunk);
        done();
      },
    });
  const code = await command.run(argv, {
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    stdin: Readable.from(io.input === undefined ? [] : [Buffer.from(io.input)]),
    env: {},
    signal: new AbortController().signal,
    ...io,
  });
  return { code, ...printed };
}
