import type { ReverseForm } from './name-form.ts';

const HEX_DIGIT = /^[0-9a-f]$/i;
const OCTET = /^(?:0|[1-9]\d{0,2})$/;

/** Reads a name below `in-addr.arpa` or `ip6.arpa` (RFC 1035 section 3.5, RFC 3596 section 2.5); undefined for others. */
export function parseReverseName(labels: readonly string[]): ReverseForm | undefined {
  const zone = labels.slice(-2).join('.').toLowerCase();
  const digits = labels.slice(0, -2).reverse();
  const address = zone === 'in-addr.arpa' ? ipv4(digits) : zone === 'ip6.arpa' ? ipv6(digits) : undefined;
  return address === undefined ? undefined : { kind: 'reverse', address };
}

function ipv4(octets: readonly string[]): string | undefined {
  const isAddress = octets.length === 4 && octets.every((octet) => OCTET.test(octet) && Number(octet) < 256);
  return isAddress ? octets.join('.') : undefined;
}

function ipv6(digits: readonly string[]): string | undefined {
  if (digits.length !== 32 || !digits.every((digit) => HEX_DIGIT.test(digit))) return undefined;
  const groups = digits.join('').toLowerCase().match(/.{4}/g)!;
  return groups.join(':');
}
