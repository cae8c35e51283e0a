import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What health checks of the scenarios probe: /status/N answers N, /switch/NAME what the latest `switch` step said. */
export class Gate {
  readonly states = new Map<string, number>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const [, kind, name = ''] = (request.url ?? '').split('/');
      const status = kind === 'status' ? Number(name) : (this.states.get(name) ?? 404);
      request.resume();
      response.writeHead(status).end(`gate says ${status}`);
    });
  }

  static async open(): Promise<Gate> {
    const gate = new Gate();
    gate.#server.listen(0, '127.0.0.1');
    await once(gate.#server, 'listening');
    return gate;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
