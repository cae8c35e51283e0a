/** The block size of the tar format (POSIX ustar). */
export const TAR_BLOCK = 512;
/** Where fields of a header begin. */
export const SIZE_AT = 124;
export const CHECKSUM_AT = 148;
export const TYPE_AT = 156;

/** The header block of a plain file. */
export function tarHeader(name: string, size: number, modifiedAtMs: number): Buffer {
  const block = Buffer.alloc(TAR_BLOCK);
  const octal = (value: number, at: number, width: number) =>
    block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1');
  block.write(name, 0, 100, 'latin1');
  octal(0o600, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  // Above 8 GiB the octal form has no room: the base-256 form of GNU tar, which Go reads too.
  if (size < 8 ** 11) octal(size, SIZE_AT, 12);
  else {
    block[SIZE_AT] = 0x80;
    block.writeBigUInt64BE(BigInt(size), SIZE_AT + 4);
  }
  octal(Math.floor(modifiedAtMs / 1000), 136, 12);
  block.write('0', TYPE_AT, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  block.write(`${tarChecksum(block).toString(8).padStart(6, '0')}\0 `, CHECKSUM_AT, 'latin1');
  return block;
}

/** What fills a file of this size up to whole blocks. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK);
}

/** The end of an archive. */
export const TAR_END = Buffer.alloc(2 * TAR_BLOCK);

/** The sum of a header's bytes with its checksum field as blanks. */
export function tarChecksum(block: Buffer): number {
  let sum = 0;
  for (let at = 0; at < TAR_BLOCK; at++) sum += at >= CHECKSUM_AT && at < CHECKSUM_AT + 8 ? 0x20 : block[at]!;
  return sum;
}
