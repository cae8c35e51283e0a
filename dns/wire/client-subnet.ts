/** The address of a checked Client Subnet option (RFC 7871 section 6), its missing bytes as zeros; undefined when it is empty. */
export function subnetAddress(option: Uint8Array): string | undefined {
  const family = (option[0]! << 8) | option[1]!;
  if (option[2] === 0) return undefined; // the client wants to stay unknown
  const bytes = Buffer.alloc(family === 1 ? 4 : 16);
  bytes.set(option.subarray(4));
  if (family === 1) return [...bytes].join('.');
  return Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(2 * at).toString(16)).join(':');
}

/** The option as an answer for just this subnet carries it: its scope is the mask that was asked with. */
export function withScope(option: Uint8Array): Uint8Array {
  const scoped = new Uint8Array(option);
  scoped[3] = scoped[2]!;
  return scoped;
}
