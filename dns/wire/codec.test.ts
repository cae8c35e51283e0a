import { AppError } from '../../core/errors.ts';
import { queryBytes, readResponse } from '../../test/support/dig.ts';
import { decodeMessage } from './decode-message.ts';
import { decodeQuery } from './decode-query.ts';
import { type DnsResponse, encodeResponse, uncompressedLength } from './encode-response.ts';
import { addressFromHex, addressToHex, addressType } from './ip-address.ts';
import { isInZone, nameFromText, nameLength } from './name.ts';
import { recordTypeName } from './record.ts';

const QUESTION = { name: 'web.service.consul', type: 1, class: 1 };

function response(parts: Partial<DnsResponse>): DnsResponse {
  return {
    id: 7,
    opcode: 0,
    rcode: 'NOERROR',
    authoritative: true,
    truncated: false,
    recursionDesired: false,
    recursionAvailable: false,
    checkingDisabled: false,
    question: QUESTION,
    answers: [],
    authority: [],
    additional: [],
    ...parts,
  };
}

describe('decodeQuery', () => {
  it('reads name, type, class and EDNS', () => {
    const query = decodeQuery(queryBytes('Web.service.consul', 'SRV', { id: 513, edns: 1232 }));
    expect(query).toMatchObject({
      id: 513,
      question: { name: 'Web.service.consul', type: 33, class: 1 },
      labels: ['Web', 'service', 'consul'],
      edns: { udpSize: 1232, version: 0 },
    });
  });

  it('writes bytes of a label that are no plain text as \\DDD', () => {
    const packet = Buffer.from('000100000001000000000000' + '0461202e5c' + '00' + '00010001', 'hex');
    expect(decodeQuery(packet).question.name).toBe('a\\032\\046\\092');
    expect(decodeQuery(packet).labels).toEqual(['a .\\']);
  });

  it('names the field and the offset', () => {
    const packet = Buffer.from(queryBytes('web.service.consul', 'A')).subarray(0, 20);
    let error: unknown;
    try {
      decodeQuery(packet);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({ code: 'decode', facts: { field: 'QNAME', offset: 16 } });
  });

  it('takes a name of 255 bytes and refuses one of 256', () => {
    const packet = (last: number) => {
      const labels = [63, 63, 63, last].map((length) =>
        Buffer.concat([Buffer.from([length]), Buffer.alloc(length, 0x61)]),
      );
      return Buffer.concat([
        Buffer.from('000100000001000000000000', 'hex'),
        ...labels,
        Buffer.from('0000010001', 'hex'),
      ]);
    };
    expect(nameLength(decodeQuery(packet(61)).question.name)).toBe(255);
    expect(() => decodeQuery(packet(62))).toThrow('longer than 255');
  });
});

describe('encodeResponse', () => {
  it('points at names that were written before', () => {
    const answers = [1, 2, 3].map((i) => ({ type: 'A' as const, name: QUESTION.name, ttl: 5, address: `10.0.0.${i}` }));
    const bytes = encodeResponse(response({ answers }), { compress: true });
    expect(bytes.length).toBe(12 + 20 + 4 + 3 * 16);
    expect(readResponse(bytes).answer.answer).toEqual([1, 2, 3].map((i) => `web.service.consul 5 A 10.0.0.${i}`));
  });

  it('keeps the case of each name', () => {
    const answers = ['WEB.service.consul', 'web.Service.consul'].map((name) => ({
      type: 'A' as const,
      name,
      ttl: 0,
      address: '1.2.3.4',
    }));
    const seen = readResponse(encodeResponse(response({ answers }), { compress: true })).answer;
    expect(seen.answer).toEqual(['WEB.service.consul 0 A 1.2.3.4', 'web.Service.consul 0 A 1.2.3.4']);
  });

  it('writes SRV targets in full (RFC 2782) and lets later names point at them', () => {
    const target = 'n1.node.dc1.consul';
    const srv = { type: 'SRV' as const, name: QUESTION.name, ttl: 0, priority: 1, weight: 2, port: 3, target };
    const glue = { type: 'A' as const, name: target, ttl: 0, address: '10.0.0.1' };
    const bytes = Buffer.from(encodeResponse(response({ answers: [srv], additional: [glue] }), { compress: true }));
    expect(bytes.includes(Buffer.from('\x02n1\x04node\x03dc1\x06consul\x00', 'latin1'))).toBe(true);
    expect(bytes.length).toBe(12 + 24 + (12 + 6 + 20) + 16);
  });

  it('splits a long text into strings of 255 bytes', () => {
    const txt = { type: 'TXT' as const, name: QUESTION.name, ttl: 0, text: 'ä'.repeat(200) };
    const packet = decodeMessage(encodeResponse(response({ answers: [txt] }), { compress: true }));
    const parts = (packet.answers![0] as { data: Buffer[] }).data;
    expect(parts.map((part) => part.length)).toEqual([255, 145]);
    expect(Buffer.concat(parts).toString()).toBe(txt.text);
  });

  it('refuses what is no name instead of writing it', () => {
    const bad = { type: 'CNAME' as const, name: QUESTION.name, ttl: 0, target: `${'x'.repeat(64)}.org` };
    expect(() => encodeResponse(response({ answers: [bad] }), { compress: true })).toThrow(RangeError);
    expect(() => uncompressedLength(response({ answers: [bad] }))).toThrow(RangeError);
  });

  it('does not point past 16383, where pointers end', () => {
    const answers = Array.from({ length: 600 }, (_, i) => ({
      type: 'A' as const,
      name: `host-number-${i}.node.consul`,
      ttl: 0,
      address: '1.1.1.1',
    }));
    const twice = [...answers, ...answers];
    const bytes = encodeResponse(response({ answers: twice }), { compress: true });
    expect(readResponse(bytes).answer.answer).toHaveLength(1200);
  });

  it('writes TTLs that are out of range as the nearest possible', () => {
    const answers = [-5, 2 ** 31, 1.9].map((ttl, i) => ({
      type: 'A' as const,
      name: QUESTION.name,
      ttl,
      address: `1.1.1.${i}`,
    }));
    const seen = readResponse(encodeResponse(response({ answers }), { compress: true })).answer.answer;
    expect(seen).toEqual([
      'web.service.consul 0 A 1.1.1.0',
      'web.service.consul 1 A 1.1.1.2',
      'web.service.consul 2147483647 A 1.1.1.1',
    ]);
  });

  it('writes the extended code of BADVERS', () => {
    const bytes = encodeResponse(response({ rcode: 'BADVERS', edns: { udpSize: 4096 } }), { compress: true });
    expect(bytes[3]! & 0x0f).toBe(0);
    expect(Buffer.from(bytes.subarray(-11)).toString('hex')).toBe('0000291000' + '01000000' + '0000');
  });
});

describe('names and addresses', () => {
  it.each([
    ['web.service.consul', 'web.service.consul', 20],
    ['trailing.dot.', 'trailing.dot', 14],
    ['white space', 'white\\032space', 13],
    ['back\\slash', 'back\\092slash', 12],
    ['café', 'caf\\195\\169', 7],
    ['', '', 1],
    ['a..b', 'a..b', undefined],
    ['.a', '.a', undefined],
    ['x'.repeat(63), 'x'.repeat(63), 65],
    ['x'.repeat(64), 'x'.repeat(64), undefined],
    [Array(64).fill('abc').join('.'), Array(64).fill('abc').join('.'), undefined],
  ])('reads %j as %j of %j bytes', (text, name, length) => {
    expect(nameFromText(text)).toBe(name);
    expect(nameLength(name)).toBe(length);
  });

  it.each([
    ['web.service.consul', 'consul', true],
    ['CONSUL', 'consul', true],
    ['notconsul', 'consul', false],
    ['consul.org', 'consul', false],
  ])('%s in zone %s: %s', (name, zone, expected) => {
    expect(isInZone(name, zone)).toBe(expected);
  });

  it.each([
    ['10.30.0.1', 'A', '0a1e0001'],
    ['2001:db8::3', 'AAAA', '20010db8000000000000000000000003'],
    ['::', 'AAAA', '0'.repeat(32)],
    ['::ffff:10.0.0.1', 'AAAA', '00000000000000000000ffff0a000001'],
    ['1:2:3:4:5:6:7:8', 'AAAA', '00010002000300040005000600070008'],
  ] as const)('writes %s (%s) as %s', (address, type, hex) => {
    expect(addressType(address)).toBe(type);
    expect(addressToHex(address, type)).toBe(hex);
    expect(addressToHex(addressFromHex(hex)!.address, type)).toBe(hex);
  });

  it.each(['', 'web', '10.0.0', '10.0.0.256', 'fe80::1%eth0', '1.2.3.4.5'])('%j is no address', (text) => {
    expect(addressType(text)).toBeUndefined();
  });

  it('names types by their mnemonic, unknown ones by number', () => {
    expect([recordTypeName(33), recordTypeName(255), recordTypeName(65280)]).toEqual(['SRV', 'ANY', 'TYPE65280']);
  });
});
