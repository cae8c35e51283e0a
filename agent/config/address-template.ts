import { BlockList, isIP } from 'node:net';
import { AppError } from '../../core/errors.ts';
import { nearest } from '../../core/nearest.ts';

/** An address of this machine. */
export interface MachineAddress {
  readonly name: string;
  readonly address: string;
  readonly internal: boolean;
}

type Addresses = readonly MachineAddress[];
type Step = (input: Addresses, args: readonly string[]) => Addresses;

const PRIVATE = blocks('10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7');
/** Not forwardable: loopback, link-local and what RFC 6890 reserves. */
const LOCAL = blocks('127.0.0.0/8', '169.254.0.0/16', '::1/128', 'fe80::/10');

/**
 * Evaluates a go-sockaddr template such as `{{ GetPrivateIP }}`, `{{ GetInterfaceIP "eth0" }}` or
 * `{{ GetAllInterfaces | include "network" "10.0.0.0/8" | attr "address" }}` for this machine; text without `{{` is
 * itself. @throws AppError `config` naming what is not known, or that nothing was found.
 */
export function evaluateAddress(text: string, machine: Addresses): string {
  if (!text.includes('{{')) return text;
  return text
    .replace(/\{\{(.*?)\}\}/gs, (_, pipeline: string) => {
      const found = evaluatePipeline(pipeline, machine);
      if (found === '') throw wrong(`{{${pipeline}}} finds no address on this machine`);
      return found;
    })
    .trim();
}

function evaluatePipeline(pipeline: string, machine: Addresses): string {
  const calls = splitPipeline(pipeline);
  let current: Addresses = [];
  for (const [at, [name = '', ...args]] of calls.entries()) {
    const end = own(OUTPUTS, name);
    if (end) return end(at === 0 ? machine : current, args);
    const source = own(SOURCES, name);
    const step = own(STEPS, name);
    if (at === 0 && source) current = source(machine, args);
    else if (at > 0 && step) current = step(current, args);
    else {
      const guess = nearest(name, [...Object.keys(SOURCES), ...Object.keys(STEPS), ...Object.keys(OUTPUTS)]);
      throw wrong(`${JSON.stringify(name)} is not a known function here${guess ? `; did you mean ${guess}?` : ''}`);
    }
  }
  return addresses(current);
}

/** Words and quoted strings, split at `|`. */
function splitPipeline(text: string): string[][] {
  const calls: string[][] = [[]];
  const pattern = /\s*(?:"((?:[^"\\]|\\.)*)"|`([^`]*)`|(\|)|([^\s|"`]+))/gy;
  for (let at = 0; at < text.trimEnd().length; at = pattern.lastIndex) {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (!found) throw wrong(`{{${text}}} cannot be read from column ${at + 1} on`);
    if (found[3]) calls.push([]);
    else calls.at(-1)!.push(found[1]?.replace(/\\(.)/g, '$1') ?? found[2] ?? found[4]!);
  }
  return calls;
}

const SOURCES: Readonly<Record<string, Step>> = {
  GetAllInterfaces: (machine) => machine,
  GetDefaultInterfaces: (machine) => forwardable(machine).slice(0, 1),
  GetPrivateInterfaces: (machine) => forwardable(machine).filter(({ address }) => isIn(PRIVATE, address)),
  GetPublicInterfaces: (machine) => forwardable(machine).filter(({ address }) => !isIn(PRIVATE, address)),
};

const OUTPUTS: Readonly<Record<string, (input: Addresses, args: readonly string[]) => string>> = {
  GetPrivateIP: (machine) => addresses(SOURCES.GetPrivateInterfaces!(machine, []).slice(0, 1)),
  GetPrivateIPs: (machine) => addresses(SOURCES.GetPrivateInterfaces!(machine, [])),
  GetPublicIP: (machine) => addresses(SOURCES.GetPublicInterfaces!(machine, []).slice(0, 1)),
  GetPublicIPs: (machine) => addresses(SOURCES.GetPublicInterfaces!(machine, [])),
  GetInterfaceIP: (machine, args) => addresses(byName(machine, args).slice(0, 1)),
  GetInterfaceIPs: (machine, args) => addresses(byName(machine, args)),
  attr: (input, [name = '']) => attributes(input.slice(0, 1), name, ' '),
  join: (input, [name = '', separator = ' ']) => attributes(input, name, separator),
};

const STEPS: Readonly<Record<string, Step>> = {
  include: (input, [kind = '', value = '']) => input.filter(matcher(kind, value)),
  exclude: (input, [kind = '', value = '']) => {
    const matches = matcher(kind, value);
    return input.filter((one) => !matches(one));
  },
  sort: (input, [by = '']) => sorted(input, by),
  limit: (input, [count = '']) => input.slice(0, wholeNumber('limit', count)),
  offset: (input, [count = '']) => input.slice(wholeNumber('offset', count)),
};

function matcher(kind: string, value: string): (one: MachineAddress) => boolean {
  switch (kind) {
    case 'address':
      return ({ address }) => pattern(value).test(address);
    case 'name':
      return ({ name }) => pattern(value).test(name);
    case 'network': {
      const networks = blocks(...value.split(/\s+/));
      return ({ address }) => isIn(networks, address);
    }
    case 'type': {
      const wanted = own({ ipv4: 4, ipv6: 6, ip: 0 } as Record<string, number>, value.toLowerCase());
      if (wanted === undefined) throw wrong(`type ${JSON.stringify(value)}: use "IPv4", "IPv6" or "IP"`);
      return ({ address }) => wanted === 0 || isIP(address) === wanted;
    }
    case 'flag':
    case 'flags':
      return hasFlags(value.split('|'));
    case 'rfc':
      if (value === '1918')
        return ({ address }) => isIP(address) === 4 && isIn(PRIVATE, address) && !/^100\./.test(address);
      if (value === '6890') return ({ address }) => isIn(PRIVATE, address) || isIn(LOCAL, address);
      throw wrong(`rfc ${JSON.stringify(value)} is not known here; use "1918", "6890" or "network" with a CIDR`);
    default:
      throw wrong(`filter ${JSON.stringify(kind)} is not known here; use address, name, network, type, flags or rfc`);
  }
}

function hasFlags(flags: readonly string[]): (one: MachineAddress) => boolean {
  const known: Record<string, (one: MachineAddress) => boolean> = {
    up: () => true,
    loopback: ({ internal }) => internal,
    forwardable: ({ address }) => !isIn(LOCAL, address),
  };
  const tests = flags.map((flag) => {
    const test = own(known, flag.trim().toLowerCase());
    if (!test) throw wrong(`flag ${JSON.stringify(flag)} is not known here; use up, loopback or forwardable`);
    return test;
  });
  return (one) => tests.every((test) => test(one));
}

function sorted(input: Addresses, by: string): Addresses {
  const keys: Record<string, (one: MachineAddress) => string> = {
    address: ({ address }) =>
      address
        .split('.')
        .map((part) => part.padStart(3, '0'))
        .join('.'),
    name: ({ name }) => name,
    private: ({ address }) => (isIn(PRIVATE, address) ? '0' : '1'),
    type: ({ address }) => String(isIP(address)),
    default: () => '',
  };
  const key = own(keys, by.replace(/^[+-]/, ''));
  if (!key) throw wrong(`sort ${JSON.stringify(by)} is not known here; use address, name, private, type or default`);
  const order = [...input].sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
  return by.startsWith('-') ? order.reverse() : order;
}

function attributes(input: Addresses, name: string, separator: string): string {
  if (name !== 'address' && name !== 'name') throw wrong(`attribute ${JSON.stringify(name)}: use "address" or "name"`);
  return input.map((one) => one[name]).join(separator);
}

function byName(machine: Addresses, [name]: readonly string[]): Addresses {
  if (!name) throw wrong('GetInterfaceIP needs the name of an interface, for example {{ GetInterfaceIP "eth0" }}');
  const own = machine.filter((one) => one.name === name);
  const outside = own.filter(({ address }) => !isIn(LOCAL, address));
  return outside.length > 0 ? outside : own;
}

function forwardable(machine: Addresses): Addresses {
  return machine.filter(({ address, internal }) => !internal && !isIn(LOCAL, address));
}

function addresses(input: Addresses): string {
  return input.map(({ address }) => address).join(' ');
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    throw wrong(`${JSON.stringify(text)} is no regular expression`);
  }
}

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw wrong(`${name} needs a whole number, found ${JSON.stringify(text)}`);
}

function blocks(...networks: string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits = ''] = network.split('/');
    const family = isIP(address);
    if (family === 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128)) {
      throw wrong(`${JSON.stringify(network)} is no network such as "10.0.0.0/8"`);
    }
    list.addSubnet(address, Number(bits), family === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}

function isIn(list: BlockList, address: string): boolean {
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

function wrong(text: string): AppError {
  return new AppError('config', text);
}
