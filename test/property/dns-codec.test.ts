import { encode } from 'dns-packet';
import fc from 'fast-check';
import { answerOf, bare } from '../../dns/answers/answer.ts';
import { fitAnswer, sectionsOf } from '../../dns/answers/fit.ts';
import { parseNameForm } from '../../dns/answers/name-form.ts';
import { answerSettings } from '../../dns/dns-options.ts';
import { FrameReader } from '../../dns/listener/frame-reader.ts';
import { decodeMessage } from '../../dns/wire/decode-message.ts';
import { decodeQuery } from '../../dns/wire/decode-query.ts';
import { type DnsResponse, encodeResponse, uncompressedLength } from '../../dns/wire/encode-response.ts';
import { addressFromHex, addressToHex } from '../../dns/wire/ip-address.ts';
import { nameFromText, nameLength } from '../../dns/wire/name.ts';
import { RECORD_TYPES, type ResourceRecord } from '../../dns/wire/record.ts';
import { framed } from '../support/dns-client.ts';

// Few letters and labels, so that names often share suffixes and compression has work to do.
const label = fc.oneof(
  fc.constantFrom('web', 'WEB', 'node', 'dc1', 'consul', 'a', 'b'),
  fc.stringMatching(/^[A-Za-z0-9_-]{1,63}$/),
);
const name = fc
  .array(label, { minLength: 1, maxLength: 6 })
  .map((labels) => labels.join('.'))
  .filter((text) => nameLength(text) !== undefined);
const ttl = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const uint16 = fc.integer({ min: 0, max: 65_535 });
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const ipv6 = fc
  .array(uint16, { minLength: 8, maxLength: 8 })
  .map((groups) => groups.map((group) => group.toString(16)).join(':'));

const record: fc.Arbitrary<ResourceRecord> = fc.oneof(
  fc.record({ type: fc.constant('A' as const), name, ttl, address: fc.ipV4() }),
  fc.record({ type: fc.constant('AAAA' as const), name, ttl, address: ipv6 }),
  fc.record({ type: fc.constantFrom('CNAME' as const, 'NS' as const, 'PTR' as const), name, ttl, target: name }),
  fc.record({
    type: fc.constant('SRV' as const),
    name,
    ttl,
    priority: uint16,
    weight: uint16,
    port: uint16,
    target: name,
  }),
  fc.record({ type: fc.constant('TXT' as const), name, ttl, text: fc.string({ maxLength: 600, unit: 'grapheme' }) }),
  fc.record({
    type: fc.constant('SOA' as const),
    name,
    ttl,
    primary: name,
    mailbox: name,
    serial: uint32,
    refresh: uint32,
    retry: uint32,
    expire: uint32,
    minimum: uint32,
  }),
);
const section = fc.array(record, { maxLength: 12 });
const response: fc.Arbitrary<DnsResponse> = fc.record({
  id: uint16,
  opcode: fc.constant(0),
  rcode: fc.constantFrom('NOERROR' as const, 'NXDOMAIN' as const, 'SERVFAIL' as const),
  authoritative: fc.boolean(),
  truncated: fc.boolean(),
  recursionDesired: fc.boolean(),
  recursionAvailable: fc.boolean(),
  checkingDisabled: fc.boolean(),
  question: fc.option(fc.record({ name, type: fc.constantFrom(1, 28, 33, 255), class: fc.constant(1) }), {
    nil: undefined,
  }),
  answers: section,
  authority: section,
  additional: section,
  edns: fc.option(fc.record({ udpSize: uint16 }), { nil: undefined }),
});

/** The data of a record as dns-packet gives it. */
function dataOf(record: ResourceRecord): unknown {
  switch (record.type) {
    case 'A':
      return record.address;
    case 'AAAA':
      return addressToHex(record.address, 'AAAA');
    case 'SRV':
      return { priority: record.priority, weight: record.weight, port: record.port, target: record.target };
    case 'TXT':
      return record.text;
    case 'SOA': {
      const { primary: mname, mailbox: rname, serial, refresh, retry, expire, minimum } = record;
      return { mname, rname, serial, refresh, retry, expire, minimum };
    }
    default:
      return record.target;
  }
}

interface Decoded {
  type: string;
  name: string;
  ttl: number;
  data: unknown;
}

function seen({ type, name, ttl, data }: Decoded): unknown {
  if (type === 'TXT') return { type, name, ttl, data: Buffer.concat(data as Buffer[]).toString() };
  return { type, name, ttl, data: type === 'AAAA' ? addressToHex(data as string, 'AAAA') : data };
}

describe('DNS responses', () => {
  it.each([true, false])('read back as they were written (compressed: %s)', (compress) => {
    fc.assert(
      fc.property(response, (sent) => {
        const bytes = encodeResponse(sent, { compress });
        const packet = decodeMessage(bytes);
        expect(packet.id).toBe(sent.id);
        expect(packet.flag_aa).toBe(sent.authoritative);
        expect(packet.flag_tc).toBe(sent.truncated);
        expect((packet.questions ?? []).map((question) => question.name)).toEqual(
          sent.question ? [sent.question.name] : [],
        );
        for (const [key, got] of [
          ['answers', packet.answers],
          ['authority', packet.authorities],
          ['additional', packet.additionals?.filter(({ type }) => type !== 'OPT')],
        ] as const) {
          const want = sent[key].map((each) => ({
            type: each.type,
            name: each.name,
            ttl: each.ttl,
            data: dataOf(each),
          }));
          expect(((got ?? []) as unknown as Decoded[]).map(seen)).toEqual(want);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('are never longer than the bound, and exactly as long without compression', () => {
    fc.assert(
      fc.property(response, (sent) => {
        const bound = uncompressedLength(sent);
        expect(encodeResponse(sent, { compress: true }).length).toBeLessThanOrEqual(bound);
        expect(encodeResponse(sent, { compress: false }).length).toBe(bound);
      }),
      { numRuns: 300 },
    );
  });
});

describe('DNS queries', () => {
  it('read as another codec wrote them', () => {
    const type = fc.constantFrom('A' as const, 'AAAA' as const, 'SRV' as const, 'TXT' as const);
    fc.assert(
      fc.property(uint16, name, type, fc.boolean(), (id, asked, askedType, rd) => {
        const packet = encode({
          type: 'query',
          id,
          flags: rd ? 256 : 0,
          questions: [{ type: askedType, name: asked, class: 'IN' }],
        });
        const query = decodeQuery(packet);
        expect(query).toMatchObject({ id, recursionDesired: rd, labels: asked.split('.') });
        expect(query.question).toEqual({ name: asked, type: RECORD_TYPES[askedType], class: 1 });
      }),
    );
  });

  it('keep any label byte for byte', () => {
    const bytes = fc.array(fc.uint8Array({ minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(bytes, (labels) => {
        const wire = Buffer.concat([...labels.map((each) => Buffer.from([each.length, ...each])), Buffer.from([0])]);
        const packet = Buffer.concat([
          Buffer.from('000000000001000000000000', 'hex'),
          wire,
          Buffer.from('00010001', 'hex'),
        ]);
        const { question } = decodeQuery(packet);
        expect(nameLength(question.name)).toBe(wire.length);
        const echoed = encodeResponse({ ...EMPTY, question }, { compress: true });
        expect(Buffer.from(echoed.subarray(12, 12 + wire.length)).equals(wire)).toBe(true);
      }),
    );
  });
});

const EMPTY: DnsResponse = {
  id: 0,
  opcode: 0,
  rcode: 'NOERROR',
  authoritative: false,
  truncated: false,
  recursionDesired: false,
  recursionAvailable: false,
  checkingDisabled: false,
  answers: [],
  authority: [],
  additional: [],
};

describe('names and addresses', () => {
  it('gives any text a length or refuses it, and never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
        const length = nameLength(nameFromText(text));
        expect(length === undefined || (length >= 1 && length <= 255)).toBe(true);
      }),
    );
  });

  it('spells addresses back', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), ipv6), (address) => {
        const type = address.includes(':') ? 'AAAA' : 'A';
        const hex = addressToHex(address, type);
        expect(addressToHex(addressFromHex(hex)!.address, type)).toBe(hex);
      }),
    );
  });

  it('reads any labels as a form or as none, and never throws', () => {
    const word = fc.constantFrom(
      'service',
      'node',
      'addr',
      'port',
      'ns',
      'dc',
      'ap',
      'peer',
      '_web',
      '_tcp',
      'web',
      'x',
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 9 }), (labels) => {
        const form = parseNameForm(labels);
        if (form?.kind === 'service') expect(form.service.length).toBeGreaterThan(0);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('cutting to size', () => {
  const settings = answerSettings({ hosts: [''], port: 0, datacenter: 'dc1' });
  it('never exceeds the size, keeps a prefix of the answers, and sets TC exactly when it cut some for size', () => {
    const request = fc.record({
      transport: fc.constant('udp' as const),
      type: fc.constant('SRV'),
      ednsUdpSize: fc.integer({ min: 513, max: 4096 }),
    });
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 60 }), section, request, (answers, authority, how) => {
        const answer = answerOf({ answers: answers.map(bare), authority });
        const length = (sections: ReturnType<typeof sectionsOf>) => uncompressedLength({ ...EMPTY, ...sections });
        const cut = fitAnswer(answer, how, (sections, max) => length(sections) <= max, settings);
        expect(length(sectionsOf(cut))).toBeLessThanOrEqual(how.ednsUdpSize);
        expect(cut.answers).toEqual(
          answer.answers.slice(0, cut.answers.length).map((each) => ({ ...each, extras: [] })),
        );
        expect(cut.truncated).toBe(cut.answers.length < answers.length);
        if (cut.truncated && cut.answers.length > 0) {
          const oneMore = { ...cut, answers: answer.answers.slice(0, cut.answers.length + 1) };
          expect(length(sectionsOf(oneMore))).toBeGreaterThan(how.ednsUdpSize);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('frames of a TCP stream', () => {
  it('are the same however it is cut', () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 });
    fc.assert(
      fc.property(messages, fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }), (sent, steps) => {
        const stream = Buffer.concat(sent.map(framed));
        const reader = new FrameReader();
        const got: Uint8Array[] = [];
        for (let at = 0, i = 0; at < stream.length; i++) {
          const end = at + steps[i % steps.length]!;
          got.push(...reader.push(stream.subarray(at, end)).messages);
          at = end;
        }
        expect(got.map((each) => Buffer.from(each).toString('hex'))).toEqual(
          sent.map((each) => Buffer.from(each).toString('hex')),
        );
        expect(reader.partial).toBe(false);
      }),
    );
  });
});
