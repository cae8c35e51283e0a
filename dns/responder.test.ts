import { FakeClock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import { silentLogger } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { SeededRandom } from '../core/random.ts';
import { Dig, queryBytes, readResponse } from '../test/support/dig.ts';
import { FakeCatalogReader } from '../test/support/fake-catalog-reader.ts';
import { answerSettings } from './dns-options.ts';
import { createResponder, type Responder } from './responder.ts';

interface Parts {
  reader: FakeCatalogReader;
  clock: FakeClock;
  metrics: Metrics;
  responder: Responder;
  dig: Dig;
  warnings: string[];
}

function parts(): Parts {
  const reader = new FakeCatalogReader().addServer('n', '10.0.0.1').addInstance({ node: 'n', service: 'web' });
  const clock = new FakeClock();
  const metrics = new Metrics();
  const warnings: string[] = [];
  const log = { ...silentLogger, warn: (text: string) => void warnings.push(text) };
  const settings = answerSettings({ hosts: [''], port: 0, datacenter: 'dc1' });
  const responder = createResponder(
    { reader, clock, log, metrics, random: new SeededRandom(1) },
    { settings, lookupTimeoutMs: 2_000 },
  );
  return { reader, clock, metrics, responder, dig: new Dig(responder), warnings };
}

interface Changes {
  edns?: number;
  /** Bytes to overwrite; a negative offset counts from the end. */
  set?: Record<number, number>;
  /** How many bytes to keep; a negative number drops so many. */
  keep?: number;
  append?: Buffer;
}

/** The query `web.service.consul A` with id 77, changed in places. */
function mangled({ edns, set = {}, keep, append = Buffer.alloc(0) }: Changes): Buffer {
  const packet = Buffer.from(queryBytes('web.service.consul', 'A', { id: 77, edns }));
  for (const [offset, byte] of Object.entries(set)) {
    packet[Number(offset) < 0 ? packet.length + Number(offset) : Number(offset)] = byte;
  }
  return Buffer.concat([packet.subarray(0, keep), append]);
}

const OPT = Buffer.from('0000291000000000000000', 'hex');
/** A question of its own: x A IN. */
const QUESTION = Buffer.from('01780000010001', 'hex');

async function rcodeOf(responder: Responder, packet: Buffer): Promise<string> {
  const bytes = await responder.respond(packet, 'udp');
  if (!bytes) return 'dropped';
  const { id, answer } = readResponse(bytes);
  return `${id} ${answer.is}`;
}

describe('a catalog in trouble', () => {
  it.each(['web.service.consul', 'nosuch.service.consul', 'n.node.consul', 'consul'])(
    'answers SERVFAIL for %s until it is synced',
    async (name) => {
      const { dig, reader } = parts();
      reader.isSynced = false;
      expect((await dig.ask(name, 'A')).is).toBe('SERVFAIL');
      reader.isSynced = true;
      expect((await dig.ask(name, 'A')).is).not.toBe('SERVFAIL');
    },
  );

  it('still refuses foreign names while it is not synced', async () => {
    const { dig, reader } = parts();
    reader.isSynced = false;
    expect((await dig.ask('example.org', 'A')).is).toBe('REFUSED');
  });

  it.each([
    [new AppError('noLeader', 'no server'), 'SERVFAIL'],
    [new AppError('notFound', 'says the far side'), 'SERVFAIL'],
    [new AppError('badRequest', 'says the far side'), 'SERVFAIL'],
    [new AppError('permissionDenied', 'no'), 'REFUSED'],
    [new TypeError('a defect'), 'SERVFAIL'],
  ])('turns %s into %s and never into NXDOMAIN', async (failure, rcode) => {
    const { dig, reader } = parts();
    reader.failure = failure;
    for (const name of ['web.service.consul', 'n.node.consul']) expect((await dig.ask(name, 'A')).is).toBe(rcode);
    expect((await dig.ask('consul', 'NS')).is).toBe(rcode);
  });

  it('logs a burst of failures once', async () => {
    const { dig, reader, clock, warnings } = parts();
    reader.failure = new AppError('noLeader', 'no server');
    for (let i = 0; i < 50; i++) await dig.ask('web.service.consul', 'A');
    expect(warnings).toHaveLength(1);
    await clock.advance(10_000);
    await dig.ask('web.service.consul', 'A');
    expect(warnings).toHaveLength(2);
  });

  it('answers SERVFAIL when a lookup takes longer than its time', async () => {
    const { dig, reader, clock } = parts();
    let finish: () => void = () => {};
    reader.delay = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const pending = dig.ask('web.service.consul', 'A');
    let answered = false;
    void pending.then(() => {
      answered = true;
    });
    await clock.advance(1_999);
    expect(answered).toBe(false);
    await clock.advance(1);
    expect((await pending).is).toBe('SERVFAIL');
    finish();
    reader.delay = undefined;
    expect((await dig.ask('web.service.consul', 'A')).is).toBe('NOERROR aa');
    expect(clock.pending).toBe(0);
  });

  it('fails at once when too many lookups are overdue, and recovers', async () => {
    const { dig, reader, clock } = parts();
    let finish: () => void = () => {};
    reader.delay = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const pending = Array.from({ length: 1024 }, () => dig.ask('web.service.consul', 'A'));
    await clock.advance(2_000);
    await Promise.all(pending);
    const before = reader.lookups;
    expect((await dig.ask('web.service.consul', 'A')).is).toBe('SERVFAIL');
    expect(reader.lookups).toBe(before);
    finish();
    reader.delay = undefined;
    await clock.advance(0);
    expect((await dig.ask('web.service.consul', 'A')).is).toBe('NOERROR aa');
  });
});

describe('messages that are no plain question', () => {
  it.each<[string, Buffer, string]>([
    ['11 bytes', Buffer.alloc(11), 'dropped'],
    ['nothing', Buffer.alloc(0), 'dropped'],
    ['a response', mangled({ set: { 2: 0x80 } }), 'dropped'],
    ['opcode 4 (NOTIFY)', mangled({ set: { 2: 4 << 3 } }), '77 NOTIMP'],
    ['opcode 5 (UPDATE)', mangled({ set: { 2: 5 << 3 } }), '77 NOTIMP'],
    ['no question', mangled({ set: { 5: 0 } }), '77 FORMERR'],
    ['two questions', mangled({ set: { 5: 2 }, append: QUESTION }), '77 FORMERR'],
    ['a count of 65535 questions', mangled({ set: { 4: 0xff, 5: 0xff } }), '77 FORMERR'],
    ['a count of 65535 records', mangled({ set: { 6: 0xff, 7: 0xff, 10: 0xff, 11: 0xff } }), '77 FORMERR'],
    ['a cut name', mangled({ keep: 20 }), '77 FORMERR'],
    ['a cut type', mangled({ keep: -3 }), '77 FORMERR'],
    ['trailing garbage', mangled({ append: Buffer.from('x') }), '77 FORMERR'],
    ['a pointer to itself', mangled({ set: { 12: 0xc0, 13: 12 } }), '77 FORMERR'],
    ['a pointer into the header', mangled({ set: { 12: 0xc0, 13: 0 } }), '77 FORMERR'],
    ['a label of type 01', mangled({ set: { 12: 0x43 } }), '77 FORMERR'],
    [
      'a record named by a pointer that loops',
      mangled({ set: { 11: 1 }, append: Buffer.from('c024', 'hex') }),
      '77 FORMERR',
    ],
    ['an OPT record', mangled({ set: { 11: 1 }, append: OPT }), '77 NOERROR aa'],
    ['two OPT records', mangled({ set: { 11: 2 }, append: Buffer.concat([OPT, OPT]) }), '77 FORMERR'],
    ['an OPT record among the answers', mangled({ set: { 7: 1 }, append: OPT }), '77 FORMERR'],
    [
      'an OPT record with a name',
      mangled({ set: { 11: 1 }, append: Buffer.concat([Buffer.from('\x01x'), OPT]) }),
      '77 FORMERR',
    ],
    ['an OPT record longer than the message', mangled({ edns: 4096, set: { [-1]: 9 } }), '77 FORMERR'],
    ['EDNS version 1', mangled({ edns: 4096, set: { [-5]: 1 } }), '77 BADVERS'],
    ['class CHAOS', mangled({ set: { [-1]: 3 } }), '77 REFUSED'],
    ['class ANY', mangled({ set: { [-1]: 255 } }), '77 NOERROR aa'],
  ])('%s', async (_, packet, expected) => {
    const { responder } = parts();
    expect(await rcodeOf(responder, packet)).toBe(expected);
  });

  it('says what is wrong where', async () => {
    const { responder, metrics } = parts();
    await responder.respond(Buffer.alloc(3), 'udp');
    await responder.respond(mangled({ keep: 20 }), 'udp');
    expect(await metrics.text()).toContain('lictor_dns_bad_messages_total{reason="short"} 1');
    expect(await metrics.text()).toContain('lictor_dns_bad_messages_total{reason="malformed"} 1');
  });
});

describe('what a response repeats of its query', () => {
  it('keeps id, RD and CD and never offers recursion', async () => {
    const { responder } = parts();
    const bytes = (await responder.respond(mangled({ set: { 2: 1, 3: 0x30 } }), 'udp'))!;
    expect(Buffer.from(bytes.subarray(0, 4)).toString('hex')).toBe('004d8510');
  });

  it('echoes the client subnet with scope 0', async () => {
    const { responder } = parts();
    const subnet = Buffer.from('00080007000118ff0a0000', 'hex'); // 10.0.0/24, scope 255
    const packet = mangled({ edns: 4096, set: { [-1]: subnet.length }, append: subnet });
    const bytes = Buffer.from((await responder.respond(packet, 'udp'))!);
    expect(bytes.subarray(-subnet.length).toString('hex')).toBe('000800070001' + '18000a0000');
  });

  it.each(['0008000400011800', '00080003000118', '000800080001210000000000', '0008000400030000'])(
    'refuses the malformed client subnet %s',
    async (hex) => {
      const { responder } = parts();
      const subnet = Buffer.from(hex, 'hex');
      const packet = mangled({ edns: 4096, set: { [-1]: subnet.length }, append: subnet });
      expect(await rcodeOf(responder, packet)).toBe('77 FORMERR');
    },
  );

  it('counts answers by type, transport and code', async () => {
    const { dig, metrics } = parts();
    await dig.ask('web.service.consul', 'A');
    await dig.ask('nosuch.service.consul', 'SRV', { tcp: true });
    const text = await metrics.text();
    expect(text).toContain('lictor_dns_queries_total{type="A",transport="udp",rcode="NOERROR"} 1');
    expect(text).toContain('lictor_dns_queries_total{type="SRV",transport="tcp",rcode="NXDOMAIN"} 1');
  });
});
