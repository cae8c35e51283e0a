import { connect, type Socket } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { eventually } from './eventually.ts';

/** An answer as it came: with its head as it was sent, and its body unpacked. */
export interface RawAnswer {
  readonly head: string;
  readonly body: string;
}

/** One HTTP connection to this machine of which a test decides every byte. */
export class HttpConnection {
  readonly socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);
  #arrived: Buffer[] = [];

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setNoDelay(true);
    this.socket.on('error', () => {});
    this.socket.on('data', (chunk: Buffer) => {
      this.#arrived.push(chunk);
    });
  }

  /** Sends a GET; `headers` are whole lines. */
  ask(path: string, headers = ''): void {
    this.socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
  }

  /** The next answer. */
  async answer(): Promise<RawAnswer> {
    let found: RawAnswer | undefined;
    const look = () => {
      found = this.#take();
      return found !== undefined;
    };
    await eventually(look, { withinMs: 10_000 });
    return found!;
  }

  #take(): RawAnswer | undefined {
    if (this.#arrived.length > 0) this.#bytes = Buffer.concat([this.#bytes, ...this.#arrived]);
    this.#arrived = [];
    const end = this.#bytes.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const head = this.#bytes.subarray(0, end).toString();
    const from = end + 4;
    const to = from + Number(/content-length: (\d+)/i.exec(head)![1]);
    if (this.#bytes.length < to) return undefined;
    const body = this.#bytes.subarray(from, to);
    this.#bytes = this.#bytes.subarray(to);
    return { head, body: (/content-encoding: gzip/i.test(head) ? gunzipSync(body) : body).toString() };
  }
}
