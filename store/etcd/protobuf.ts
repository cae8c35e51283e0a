import { AppError } from '../../core/errors.ts';

/*
 * The protobuf wire format (protobuf.dev, "Encoding"), as far as etcd's messages use it: varints and length-delimited
 * fields. Numbers are exact up to 2^53, far above any revision.
 */
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

const FIRST_SIZE = 256;

/** Builds one message in one growing buffer. */
export class ProtoWriter {
  #bytes: Buffer;
  #at = 0;

  /** `sizeHint`: how many bytes it will roughly be. */
  constructor(sizeHint = FIRST_SIZE) {
    this.#bytes = Buffer.allocUnsafe(sizeHint);
  }

  /** The message; the writer must not be used any more. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  /** A whole number from 0; 0 is the default and is left out. */
  uint(field: number, value: number): void {
    if (value === 0) return;
    this.#varint(field * 8 + VARINT);
    this.#varint(value);
  }

  /** As `uint`, for what may be above 2^53. */
  uint64(field: number, value: bigint): void {
    if (value === 0n) return;
    this.#varint(field * 8 + VARINT);
    this.#reserve(10);
    let rest = value;
    for (; rest >= 0x80n; rest >>= 7n) this.#bytes[this.#at++] = Number(rest & 0x7fn) | 0x80;
    this.#bytes[this.#at++] = Number(rest);
  }

  bool(field: number, value: boolean): void {
    this.uint(field, value ? 1 : 0);
  }

  /** Also when it is empty, as members of a oneof need. */
  bytes(field: number, ...parts: readonly Uint8Array[]): void {
    let length = 0;
    for (const part of parts) length += part.byteLength;
    this.#varint(field * 8 + BYTES);
    this.#varint(length);
    this.#reserve(length);
    for (const part of parts) {
      this.#bytes.set(part, this.#at);
      this.#at += part.byteLength;
    }
  }

  text(field: number, value: string): void {
    this.nested(field, () => {
      // A UTF-16 unit takes at most 3 bytes.
      this.#reserve(value.length * 3);
      this.#at += this.#bytes.write(value, this.#at, 'utf8');
    });
  }

  /** A message within, built by `write` on this same writer. */
  nested(field: number, write: () => void): void {
    this.#varint(field * 8 + BYTES);
    const start = this.#at + 1;
    this.#reserve(1);
    this.#at = start;
    write();
    const length = this.#at - start;
    // One byte was kept for the length: a longer one moves the content along.
    const shift = varintBytes(length) - 1;
    if (shift > 0) {
      this.#reserve(shift);
      this.#bytes.copyWithin(start + shift, start, this.#at);
    }
    this.#at = start - 1;
    this.#varint(length);
    this.#at += length;
  }

  #varint(value: number): void {
    this.#reserve(10);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#at++] = rest;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + bytes));
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
  }
}

/** Reads one message field by field. What it gives are views of the input. */
export class ProtoReader {
  readonly #bytes: Buffer;
  #at = 0;
  #wireType = 0;
  #field = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The number of the next field, whose value must then be read or skipped; 0 at the end. */
  next(): number {
    if (this.#at >= this.#bytes.length) return 0;
    const tag = this.#varint();
    this.#wireType = tag % 8;
    this.#field = Math.floor(tag / 8);
    if (this.#field < 1 || this.#field > 0x1fff_ffff) throw this.#wrong(`field number ${this.#field}`);
    return this.#field;
  }

  /** Above 2^53 it is not exact. */
  uint(): number {
    if (this.#wireType !== VARINT) throw this.#wrong(`wire type ${this.#wireType} where a number is expected`);
    return this.#varint();
  }

  /** As `uint`, exact over all 64 bits. */
  uint64(): bigint {
    const start = this.#at;
    this.uint();
    let value = 0n;
    for (let at = this.#at - 1; at >= start; at--) value = (value << 7n) | BigInt(this.#bytes[at]! & 0x7f);
    return BigInt.asUintN(64, value);
  }

  bytes(): Buffer {
    if (this.#wireType !== BYTES) throw this.#wrong(`wire type ${this.#wireType} where bytes are expected`);
    const length = this.#varint();
    if (length > this.#bytes.length - this.#at) throw this.#wrong(`${length} bytes, of which some are missing`);
    const start = this.#at;
    this.#at += length;
    return this.#bytes.subarray(start, this.#at);
  }

  text(): string {
    return this.bytes().toString('utf8');
  }

  /** Passes over a field that nobody asks for. */
  skip(): void {
    if (this.#wireType === VARINT) this.#varint();
    else if (this.#wireType === BYTES) this.bytes();
    else if (this.#wireType === FIXED64 || this.#wireType === FIXED32) this.#fixed(this.#wireType === FIXED64 ? 8 : 4);
    else throw this.#wrong(`wire type ${this.#wireType}`);
  }

  #fixed(bytes: number): void {
    if (bytes > this.#bytes.length - this.#at) throw this.#wrong('a number that is cut off');
    this.#at += bytes;
  }

  #varint(): number {
    let value = 0;
    let scale = 1;
    // Ten bytes hold 64 bits.
    for (let i = 0; i < 10; i++) {
      if (this.#at >= this.#bytes.length) throw this.#wrong('a number that is cut off');
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    throw this.#wrong('a number of more than ten bytes');
  }

  #wrong(what: string): AppError {
    return new AppError(
      'decode',
      `a message of etcd cannot be read at byte ${this.#at}, field ${this.#field}: ${what}`,
      {
        facts: { offset: this.#at, field: this.#field },
      },
    );
  }
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}
