import { encode } from 'dns-packet';
import { FakeClock } from '../core/clock.ts';
import { silentLogger } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { SeededRandom } from '../core/random.ts';
import { Dig } from '../test/support/dig.ts';
import { FakeCatalogReader } from '../test/support/fake-catalog-reader.ts';
import { answerSettings } from './dns-options.ts';
import { createResponder, type Responder } from './responder.ts';
import { decodeMessage } from './wire/decode-message.ts';

const SOA = /^consul 0 SOA /;

function catalog(): FakeCatalogReader {
  const reader = new FakeCatalogReader()
    .addNode('n1', '10.0.0.1')
    .addNode('n2', '10.0.0.2')
    .addInstance({ node: 'n1', service: 'web', Port: 80 })
    .addInstance({ node: 'n2', service: 'web', Port: 81 })
    .addInstance({ node: 'n2', service: 'connect:web', Port: 21000 })
    .addInstance({ node: 'n1', service: 'ingress:web', Port: 443 })
    .addInstance({ node: 'n1', service: 'plain' });
  reader.virtuals.set('web', '240.0.0.7');
  return reader;
}

describe('DNS lookups beside services and nodes', () => {
  let reader: FakeCatalogReader;
  let responder: Responder;
  let dig: Dig;
  beforeEach(async () => {
    reader = catalog();
    const entries = [...(await reader.service('default', 'web')).entries].reverse();
    reader.queries.set('geo.web', { service: 'web', ttlSeconds: 8, entries });
    reader.queries.set('empty', { service: 'web', ttlSeconds: undefined, entries: [] });
    reader.queries.set('own', { service: 'web', ttlSeconds: undefined, entries });
    const deps = {
      reader,
      clock: new FakeClock(),
      log: silentLogger,
      metrics: new Metrics(),
      random: new SeededRandom(1),
    };
    const settings = answerSettings({ hosts: [''], port: 0, datacenter: 'dc1', serviceTtlSeconds: { web: 3 } });
    responder = createResponder(deps, { settings, lookupTimeoutMs: 100 });
    dig = new Dig(responder);
  });

  it.each([
    ['geo.web.query.consul', 'A', ['geo.web.query.consul 8 A 10.0.0.1', 'geo.web.query.consul 8 A 10.0.0.2']],
    ['own.query.dc1.consul', 'A', ['own.query.dc1.consul 3 A 10.0.0.1', 'own.query.dc1.consul 3 A 10.0.0.2']],
    [
      '_own._tcp.query.consul',
      'SRV',
      [
        '_own._tcp.query.consul 3 SRV 1 1 80 n1.node.dc1.consul',
        '_own._tcp.query.consul 3 SRV 1 1 81 n2.node.dc1.consul',
      ],
    ],
    ['web.connect.consul', 'SRV', ['web.connect.consul 3 SRV 1 1 21000 n2.node.dc1.consul']],
    ['web.ingress.dc1.consul', 'A', ['web.ingress.dc1.consul 3 A 10.0.0.1']],
    ['WEB.virtual.consul', 'A', ['WEB.virtual.consul 3 A 240.0.0.7']],
    ['web.virtual.consul', 'AAAA', ['web.virtual.consul 3 A 240.0.0.7']],
    ['plain.virtual.consul', 'A', []],
  ])('answer %s %s', async (name, type, answer) => {
    const found = await dig.ask(name, type);
    expect([found.is, found.answer, found.authority]).toEqual(['NOERROR aa', answer, []]);
  });

  it.each([
    ['nope.query.consul', 'A'],
    ['empty.query.consul', 'A'],
    ['query.consul', 'A'],
    ['own.query.dc2.consul', 'A'],
    ['plain.connect.consul', 'A'],
    ['a.web.connect.consul', 'A'],
    ['none.virtual.consul', 'A'],
    ['web.virtual.dc1.consul', 'A'],
    ['9.9.9.9.in-addr.arpa', 'PTR'],
    ['1.0.10.in-addr.arpa', 'PTR'],
  ])('know no %s', async (name, type) => {
    const found = await dig.ask(name, type);
    if (name.startsWith('1.0.10.')) expect(found.is).toBe('REFUSED');
    else expect([found.is, found.authority]).toEqual(['NXDOMAIN aa', [expect.stringMatching(SOA)]]);
  });

  it('keep the order of a prepared query, which may be by distance', async () => {
    for (let i = 0; i < 10; i++) {
      const bytes = (await responder.respond(
        encode({ type: 'query', id: 1, questions: [{ type: 'A', name: 'own.query.consul' }] }),
        'udp',
      ))!;
      expect(decodeMessage(bytes).answers?.map((record) => 'data' in record && record.data)).toEqual([
        '10.0.0.2',
        '10.0.0.1',
      ]);
    }
  });

  it('name the node of an address, else the service, for PTR alone', async () => {
    reader.owners.set('10.0.0.1', { node: (await reader.node('n1'))! });
    reader.owners.set('2001:0db8:0000:0000:0000:0000:0000:0001', { service: { namespace: 'shop', name: 'web' } });
    expect((await dig.ask('1.0.0.10.in-addr.arpa', 'PTR')).answer).toEqual([
      '1.0.0.10.in-addr.arpa 0 PTR n1.node.dc1.consul',
    ]);
    const six = `1.${'0.'.repeat(23)}8.b.d.0.1.0.0.2.ip6.arpa`;
    expect((await dig.ask(six, 'PTR')).answer).toEqual([`${six} 0 PTR web.service.shop.ns.dc1.dc.consul`]);
    expect(await dig.ask('1.0.0.10.in-addr.arpa', 'A')).toMatchObject({ is: 'NOERROR aa', answer: [] });
  });

  it('ask for the client’s subnet, and say that the answer is for it alone', async () => {
    const ask = (name: string) => {
      const option = {
        code: 'CLIENT_SUBNET' as const,
        ip: '198.51.100.0',
        family: 1,
        sourcePrefixLength: 24,
        scopePrefixLength: 0,
      };
      const additionals = [
        {
          type: 'OPT' as const,
          name: '.',
          udpPayloadSize: 1232,
          extendedRcode: 0,
          ednsVersion: 0,
          flags: 0,
          flag_do: false,
          options: [option],
        },
      ];
      return responder.respond(
        encode({ type: 'query', id: 1, questions: [{ type: 'A', name }], additionals } as never),
        'udp',
        '127.0.0.9',
      );
    };
    const scope = (bytes: Uint8Array | undefined) => bytes!.at(-4);
    expect(scope(await ask('own.query.consul'))).toBe(24);
    expect(scope(await ask('web.service.consul'))).toBe(0);
    await responder.respond(
      encode({ type: 'query', id: 1, questions: [{ type: 'A', name: 'own.query.consul' }] }),
      'udp',
      '127.0.0.9',
    );
    expect(reader.sources).toEqual(['198.51.100.0', '127.0.0.9']);
  });

  it('are SERVFAIL, never absence, when a lookup fails or nothing is loaded', async () => {
    reader.failure = new Error('no server');
    for (const name of ['own.query.consul', 'web.connect.consul', 'web.virtual.consul', '1.0.0.10.in-addr.arpa'])
      expect((await dig.ask(name, 'PTR')).is).toBe('SERVFAIL');
    reader.isSynced = false;
    expect((await dig.ask('1.0.0.10.in-addr.arpa', 'PTR')).is).toBe('SERVFAIL');
  });
});
