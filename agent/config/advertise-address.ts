import { AppError } from '../../core/errors.ts';
import { isAnyAddress } from '../../core/ip-address.ts';
import type { AgentConfig } from './agent-config.ts';

/** An address of this machine, as node:os gives it. */
export interface InterfaceAddress {
  readonly address: string;
  readonly family: string;
  readonly internal: boolean;
}

/**
 * The address under which this node is reached: `advertise_addr`, else the bind address, else (when that is a wildcard)
 * the machine's first private IPv4 address, else its first other one (Consul's rule, except that several private
 * addresses are no error). @throws AppError `config` when there is none.
 */
export function advertisedAddress(config: AgentConfig, interfaces: readonly InterfaceAddress[]): string {
  if (config.advertiseAddress !== '') return config.advertiseAddress;
  if (config.bindAddress !== '0.0.0.0' && config.bindAddress !== '::') return config.bindAddress;
  const outside = interfaces.filter(({ internal }) => !internal);
  const ipv4 = outside.filter(({ family }) => family === 'IPv4');
  const found =
    ipv4.find(({ address }) => isPrivate(address)) ?? ipv4[0] ?? outside.find((one) => !/^fe80:/i.test(one.address));
  if (found) return found.address;
  throw new AppError('config', 'advertise_addr: no address of this machine was found; give one with -advertise', {
    facts: { field: 'advertise_addr' },
  });
}

/** Why others could not be told this address, in Consul's words. */
export function advertiseProblem(address: string, which = 'Advertise'): string | undefined {
  const bare = address.trim().replace(/^\[(.*)\]$/, '$1');
  return isAnyAddress(bare) ? `${which} address cannot be 0.0.0.0, :: or [::]` : undefined;
}

/** RFC 1918 and RFC 6598 addresses. */
function isPrivate(address: string): boolean {
  return /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)/.test(address);
}
