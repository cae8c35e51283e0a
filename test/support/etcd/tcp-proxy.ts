import { connect, createServer, type Server, type Socket } from 'node:net';

interface Pair {
  readonly client: Socket;
  readonly upstream: Socket;
  /** Nothing passes any more, and neither side is told. */
  lost: boolean;
}

/** Stands between a client and a port of 127.0.0.1, and breaks what a test wants broken. */
export class TcpProxy {
  readonly #server: Server;
  readonly #upstreamPort: number;
  readonly #pairs = new Set<Pair>();
  #cut = false;
  #dropAnswers = false;
  #losing = false;
  #onRequest: (bytes: Buffer) => void = () => {};

  private constructor(upstreamPort: number) {
    this.#upstreamPort = upstreamPort;
    this.#server = createServer((client) => this.#accept(client));
  }

  static async start(upstreamPort: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(upstreamPort);
    await new Promise<void>((resolve) => {
      proxy.#server.listen(0, '127.0.0.1', resolve);
    });
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** Ends all connections; new ones are closed at once. */
  cut(): void {
    this.#cut = true;
    this.breakConnections();
  }

  breakConnections(): void {
    for (const { client, upstream } of this.#pairs) {
      client.destroy();
      upstream.destroy();
    }
  }

  /** What the client sends goes through; no answer comes back. */
  dropAnswers(): void {
    this.#dropAnswers = true;
  }

  /** Packets vanish on all connections, for ever on those that are made before the end of it. */
  loseConnections(): void {
    this.#losing = true;
    for (const pair of this.#pairs) pair.lost = true;
  }

  /** Calls back with what the client sends next, before it goes on. */
  onRequest(callback: (bytes: Buffer) => void): void {
    this.#onRequest = callback;
  }

  /** Everything goes through again, on new connections. */
  heal(): void {
    const broken = this.#dropAnswers;
    this.#cut = false;
    this.#dropAnswers = false;
    this.#losing = false;
    this.#onRequest = () => {};
    // A connection that has lost bytes cannot go on.
    if (broken) this.breakConnections();
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    if (this.#cut) {
      client.destroy();
      return;
    }
    const upstream = connect(this.#upstreamPort, '127.0.0.1');
    const pair: Pair = { client, upstream, lost: this.#losing };
    this.#pairs.add(pair);
    client.on('data', (bytes: Buffer) => {
      this.#onRequest(bytes);
      if (!pair.lost && !upstream.destroyed) upstream.write(bytes);
    });
    upstream.on('data', (bytes: Buffer) => {
      if (!pair.lost && !this.#dropAnswers && !client.destroyed) client.write(bytes);
    });
    const end = (): void => {
      this.#pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      socket.on('error', end);
      socket.on('close', end);
    }
  }
}
