import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/log.ts';
import type { CounterMetric, Metrics } from '../../core/metrics.ts';
import type { ListenerOptions } from '../dns-options.ts';
import type { Responder } from '../responder.ts';

/** Serves DNS over UDP. With too much in work, packets are dropped: clients ask again. */
export class UdpListener {
  readonly #socket: Socket;
  readonly #deps: { responder: Responder; clock: Clock; log: Logger };
  readonly #maxInFlight: number;
  readonly #dropped: CounterMetric;
  #inFlight = 0;
  #closing = false;
  #drained: () => void = () => {};

  constructor(
    deps: { responder: Responder; clock: Clock; log: Logger; metrics: Metrics },
    options: ListenerOptions & { readonly host: string },
  ) {
    this.#deps = deps;
    this.#maxInFlight = options.maxUdpInFlight;
    this.#dropped = deps.metrics.counter({
      name: 'lictor_dns_udp_dropped_total',
      help: 'DNS packets left without answer, by reason.',
      labels: ['reason'],
    });
    const family = isIPv6(options.host) ? 6 : 4;
    this.#socket = createSocket({
      type: family === 6 ? 'udp6' : 'udp4',
      recvBufferSize: options.udpReceiveBufferBytes,
      // Answers go to addresses, never to names: the resolver would only cost a turn of the event loop.
      lookup: (address, _options, callback) => callback(null, address, family),
    });
    this.#socket.on('message', (packet, from) => this.#onMessage(packet, from));
  }

  /** Starts listening. Rejects with the system's error. */
  listen(host: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.once('error', reject);
      this.#socket.bind({ address: host, port, exclusive: true }, () => {
        this.#socket.off('error', reject);
        this.#socket.on('error', (error) => this.#deps.log.error('the DNS UDP socket failed', { err: error }));
        resolve();
      });
    });
  }

  /** Takes no more questions, answers those in work for at most `graceMs`, and closes the socket. */
  async close(graceMs: number): Promise<void> {
    this.#closing = true;
    if (this.#inFlight > 0) {
      const grace = new AbortController();
      const drained = new Promise<void>((resolve) => {
        this.#drained = resolve;
      });
      await Promise.race([drained, this.#deps.clock.sleep(graceMs, grace.signal)]);
      grace.abort();
    }
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }

  #onMessage(packet: Buffer, from: RemoteInfo): void {
    if (this.#closing) return;
    if (this.#inFlight >= this.#maxInFlight || from.port === 0) {
      this.#dropped.add(1, { reason: from.port === 0 ? 'port 0' : 'overload' });
      return;
    }
    this.#inFlight++;
    void this.#answer(packet, from);
  }

  async #answer(packet: Buffer, from: RemoteInfo): Promise<void> {
    const answer = await this.#deps.responder.respond(packet, 'udp', from.address);
    this.#inFlight--;
    // With the last one answered, close() goes on; the send below still comes first.
    if (this.#inFlight === 0 && this.#closing) this.#drained();
    if (!answer) return;
    try {
      this.#socket.send(answer, from.port, from.address, (error) => {
        if (error) this.#dropped.add(1, { reason: 'send' });
      });
    } catch {
      this.#dropped.add(1, { reason: 'send' }); // the socket was closed before this late answer
    }
  }
}
