/**
 * The messages of the gRPC health protocol (grpc.health.v1.Health/Check): one field each, so that they are written and
 * read here rather than by a library.
 */
export const HEALTH_CHECK_PATH = '/grpc.health.v1.Health/Check';
export const SERVING = 1;

const SERVING_STATUS = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const FRAME_HEADER = 5;

/** A HealthCheckRequest in its gRPC frame. */
export function encodeHealthRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a]), varint(name.length), name]);
  const header = Buffer.alloc(FRAME_HEADER);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

/** The status of a HealthCheckResponse in its gRPC frame. @throws Error saying what is wrong with the bytes. */
export function decodeHealthResponse(frame: Uint8Array): number {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  if (bytes.length < FRAME_HEADER) throw new Error('the health answer is shorter than a gRPC frame');
  if (bytes[0] !== 0) throw new Error('the health answer is compressed, which was not asked for');
  const length = bytes.readUInt32BE(1);
  if (length !== bytes.length - FRAME_HEADER) throw new Error('the length of the health answer is wrong');
  const message = new Reader(bytes.subarray(FRAME_HEADER));
  let status = 0;
  while (!message.done) {
    const tag = message.varint();
    if (tag === 0x08) status = message.varint();
    else message.skip(tag & 7);
  }
  return status;
}

export function servingStatusText(status: number): string {
  return SERVING_STATUS[status] ?? `status ${status}`;
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.done) throw new Error('the health answer ends inside a number');
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new Error('the health answer has a number that is too long');
  }

  /** Passes over a field that is not known, by its wire type. */
  skip(wireType: number): void {
    if (wireType === 0) this.varint();
    else if (wireType === 1) this.#at += 8;
    else if (wireType === 2) this.#at += this.varint();
    else if (wireType === 5) this.#at += 4;
    else throw new Error('the health answer has a field of an unknown type');
    if (this.#at > this.#bytes.length) throw new Error('the health answer ends inside a field');
  }
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}
