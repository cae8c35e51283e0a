import { evaluateAddress } from './address-template.ts';

const MACHINE = [
  { name: 'lo', address: '127.0.0.1', internal: true },
  { name: 'lo', address: '::1', internal: true },
  { name: 'eth0', address: '203.0.113.9', internal: false },
  { name: 'eth1', address: 'fe80::1', internal: false },
  { name: 'eth1', address: '10.1.0.9', internal: false },
  { name: 'eth2', address: '192.168.0.5', internal: false },
  { name: 'eth3', address: 'fd00::7', internal: false },
];

describe('evaluateAddress', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['{{ GetPrivateIP }}', '10.1.0.9'],
    ['{{GetPublicIP}}', '203.0.113.9'],
    ['{{ GetInterfaceIP "eth2" }}', '192.168.0.5'],
    ['{{ GetInterfaceIP `eth1` }}', '10.1.0.9'],
    ['{{ GetInterfaceIP "lo" }}', '127.0.0.1'],
    ['{{ GetPrivateIPs }}', '10.1.0.9 192.168.0.5 fd00::7'],
    ['{{ GetAllInterfaces | include "network" "192.168.0.0/16" | attr "address" }}', '192.168.0.5'],
    [
      '{{ GetPrivateInterfaces | exclude "type" "IPv6" | sort "-address" | limit 1 | join "address" " " }}',
      '192.168.0.5',
    ],
    ['{{ GetPrivateInterfaces | include "type" "ipv6" | attr "address" }}', 'fd00::7'],
    [
      '{{ GetAllInterfaces | include "name" "^eth[01]$" | include "flags" "forwardable|up" | offset 1 | attr "name" }}',
      'eth1',
    ],
    ['{{ GetAllInterfaces | include "rfc" "1918" | join "address" "," }}', '10.1.0.9,192.168.0.5'],
    ['{{ GetDefaultInterfaces | attr "address" }}', '203.0.113.9'],
  ])('%s is %s', (text, found) => {
    expect(evaluateAddress(text, MACHINE)).toBe(found);
  });

  it.each([
    ['{{ GetInterfaceIP "eth9" }}', /finds no address on this machine/],
    ['{{ GetInterfaceIP }}', /needs the name of an interface/],
    ['{{ GetPrivateIp }}', /did you mean GetPrivateIP\?/],
    ['{{ constructor }}', /"constructor" is not a known function/],
    ['{{ GetAllInterfaces | toString }}', /"toString" is not a known function/],
    ['{{ GetAllInterfaces | include "network" "10" | attr "address" }}', /is no network such as/],
    ['{{ GetAllInterfaces | include "size" "10" }}', /filter "size" is not known here/],
    ['{{ GetAllInterfaces | sort "color" }}', /sort "color" is not known/],
    ['{{ GetAllInterfaces | limit "x" }}', /limit needs a whole number/],
    ['{{ GetAllInterfaces | attr "mtu" }}', /attribute "mtu"/],
    ['{{ GetAllInterfaces | include "name" "(" | attr "name" }}', /no regular expression/],
    ['{{ GetInterfaceIP "eth0 }}', /cannot be read from column/],
  ])('%s is refused', (text, message) => {
    expect(() => evaluateAddress(text, MACHINE)).toThrow(message);
  });
});
