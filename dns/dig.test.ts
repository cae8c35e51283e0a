import { FakeClock } from '../core/clock.ts';
import { silentLogger } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { SeededRandom } from '../core/random.ts';
import { Dig } from '../test/support/dig.ts';
import { FakeCatalogReader } from '../test/support/fake-catalog-reader.ts';
import { answerSettings, type DnsOptions } from './dns-options.ts';
import { createResponder } from './responder.ts';

/** A responder over `reader`, asked as with dig. */
function digOver(reader: FakeCatalogReader, options: Partial<DnsOptions> = {}): Dig {
  const settings = answerSettings({ hosts: [''], port: 0, datacenter: 'dc1', ...options });
  const clock = new FakeClock(1_700_000_000_000);
  const deps = { reader, clock, log: silentLogger, metrics: new Metrics(), random: new SeededRandom(7) };
  return new Dig(createResponder(deps, { settings, lookupTimeoutMs: 2_000 }));
}

const SOA = 'consul 0 SOA ns.consul hostmaster.consul 1700000000 3600 600 86400 0';

interface Expected {
  /** Rcode and flags; 'NOERROR aa' when absent. */
  is?: string;
  answer?: string[];
  authority?: string[];
  additional?: string[];
}

const NXDOMAIN: Expected = { is: 'NXDOMAIN aa', authority: [SOA] };
const NODATA: Expected = { authority: [SOA] };

/** `[name, type, expected]`; sections compare as multisets, for answers are shuffled. */
type Case = [name: string, type: string, expected: Expected];

function check(dig: () => Dig, cases: Case[]): void {
  it.each(cases)('%s %s', async (name, type, expected) => {
    const seen = await dig().ask(name, type);
    expect({ is: seen.is, answer: seen.answer, authority: seen.authority, additional: seen.additional }).toEqual({
      is: expected.is ?? 'NOERROR aa',
      answer: [...(expected.answer ?? [])].sort(),
      authority: [...(expected.authority ?? [])].sort(),
      additional: [...(expected.additional ?? [])].sort(),
    });
  });
}

describe('node lookups', () => {
  const reader = new FakeCatalogReader()
    .addNode('alpha', '10.30.0.1', { Meta: { role: 'db', 'rfc1035-raw': 'v=raw text', 'eq=key': 'x=y' } })
    .addNode('six', '2001:db8:0:1::6')
    .addNode('named', 'host.example.org')
    .addNode('dotted.name', '10.30.0.4')
    .addNode('empty', '');
  const dig = digOver(reader);
  const meta = ['eq`=key=x=y', 'role=db', 'v=raw text'];
  const txt = (name: string) => meta.map((text) => `${name} 0 TXT "${text}"`);
  check(
    () => dig,
    [
      ['alpha.node.consul', 'A', { answer: ['alpha.node.consul 0 A 10.30.0.1'], additional: txt('alpha.node.consul') }],
      [
        'alpha.node.dc1.consul',
        'A',
        { answer: ['alpha.node.dc1.consul 0 A 10.30.0.1'], additional: txt('alpha.node.dc1.consul') },
      ],
      ['alpha.node.dc1.dc.consul', 'TXT', { answer: txt('alpha.node.dc1.dc.consul') }],
      ['ALPHA.Node.Consul', 'A', { answer: ['ALPHA.Node.Consul 0 A 10.30.0.1'], additional: txt('ALPHA.Node.Consul') }],
      ['alpha.node.consul', 'AAAA', { additional: txt('alpha.node.consul') }],
      ['alpha.node.consul', 'TXT', { answer: txt('alpha.node.consul') }],
      ['alpha.node.consul', 'SRV', {}],
      ['alpha.node.consul', 'MX', {}],
      ['six.node.consul', 'AAAA', { answer: ['six.node.consul 0 AAAA 2001:db8:0:1::6'] }],
      ['six.node.consul', 'A', {}],
      ['six.node.consul', 'ANY', { answer: ['six.node.consul 0 AAAA 2001:db8:0:1::6'] }],
      ['named.node.consul', 'A', { answer: ['named.node.consul 0 CNAME host.example.org'] }],
      ['named.node.consul', 'CNAME', {}],
      ['dotted.name.node.consul', 'A', { answer: ['dotted.name.node.consul 0 A 10.30.0.4'] }],
      ['empty.node.consul', 'A', {}],
      ['alpha.node.dc2.consul', 'A', NXDOMAIN],
      ['alpha.node.dc1.extra.consul', 'A', NXDOMAIN],
      ['alpha.node.shop.ns.consul', 'A', NXDOMAIN],
      ['nobody.node.consul', 'A', NXDOMAIN],
      ['odd.alpha.node.consul', 'A', NXDOMAIN],
      ['node.consul', 'A', NXDOMAIN],
    ],
  );

  it('limits ANY as any other answer', async () => {
    const seen = await dig.ask('alpha.node.consul', 'ANY');
    expect(seen.answer).toHaveLength(3);
  });
});

describe('the zone', () => {
  const reader = new FakeCatalogReader()
    .addServer('s1', '127.0.0.1')
    .addNode('n', '10.0.0.1')
    .addInstance({ node: 'n', service: 'web' });
  const dig = digOver(reader);
  const ns = ['consul 0 NS s1.node.dc1.consul'];
  const glue = ['s1.node.dc1.consul 0 A 127.0.0.1'];
  check(
    () => dig,
    [
      ['consul', 'SOA', { answer: [SOA], authority: ns, additional: glue }],
      ['nothing.here.consul', 'SOA', { answer: [SOA], authority: ns, additional: glue }],
      ['web.service.consul', 'SOA', { answer: [SOA], authority: ns, additional: glue }],
      ['consul', 'NS', { answer: ns, additional: glue }],
      ['web.service.consul', 'NS', { answer: ns, additional: glue }],
      ['consul', 'A', NXDOMAIN],
      ['consul', 'ANY', NXDOMAIN],
      ['anything.consul', 'A', NXDOMAIN],
      ['web.nothing.consul', 'A', NXDOMAIN],
      ['consul', 'AXFR', { is: 'NOTIMP aa' }],
      ['example.org', 'A', { is: 'REFUSED' }],
      ['web.service.cons', 'A', { is: 'REFUSED' }],
      ['notconsul', 'A', { is: 'REFUSED' }],
      ['.', 'NS', { is: 'REFUSED' }],
    ],
  );

  it('names three of many servers at random, each with its address', async () => {
    const many = new FakeCatalogReader();
    for (let i = 1; i <= 7; i++) many.addServer(`s${i}`, `10.0.0.${i}`);
    const seen = await digOver(many).ask('consul', 'NS');
    expect(seen.answer).toHaveLength(3);
    expect(seen.additional).toHaveLength(3);
    const others = await Promise.all(Array.from({ length: 20 }, () => digOver(many).ask('consul', 'NS')));
    expect(others.every(({ answer }) => new Set(answer).size === 3)).toBe(true);
  });
});

describe('address lookups', () => {
  const dig = digOver(new FakeCatalogReader());
  const six = '20010db8000000010000000000000006';
  check(
    () => dig,
    [
      ['0a1e0001.addr.consul', 'A', { answer: ['0a1e0001.addr.consul 0 A 10.30.0.1'] }],
      ['0A1E0001.addr.consul', 'A', { answer: ['0A1E0001.addr.consul 0 A 10.30.0.1'] }],
      ['0a1e0001.addr.dc1.consul', 'ANY', { answer: ['0a1e0001.addr.dc1.consul 0 A 10.30.0.1'] }],
      ['0a1e0001.addr.consul', 'AAAA', { additional: ['0a1e0001.addr.consul 0 A 10.30.0.1'] }],
      [`${six}.addr.consul`, 'AAAA', { answer: [`${six}.addr.consul 0 AAAA 2001:db8:0:1::6`] }],
      [`${six}.addr.consul`, 'A', { additional: [`${six}.addr.consul 0 AAAA 2001:db8:0:1::6`] }],
      ['zzzz0001.addr.consul', 'A', NXDOMAIN],
      ['0a1e00.addr.consul', 'A', NXDOMAIN],
      ['addr.consul', 'A', NXDOMAIN],
    ],
  );
});

describe('service lookups', () => {
  const reader = new FakeCatalogReader()
    .addNode('s1', '10.31.0.1')
    .addNode('s2', '10.31.0.2')
    .addNode('s3', '10.31.0.3')
    .addNode('s4', '10.31.0.4')
    .addInstance({
      node: 's1',
      service: 'web',
      Tags: ['blue', 'v1.2'],
      Port: 8001,
      Weights: { Passing: 5, Warning: 2 },
    })
    .addInstance({ node: 's2', service: 'web', Tags: ['GREEN'], Port: 8002, Address: '10.131.0.2' })
    .addInstance({ node: 's3', service: 'six', Port: 8003, Address: '2001:db8::3' })
    .addInstance({ node: 's4', service: 'alias', Port: 8004, Address: 'target.example.com' })
    .addInstance({ node: 's4', service: 'inzone', Port: 8005, Address: 'web.service.consul' })
    .addInstance({ node: 's4', service: 'loop', Port: 8006, Address: 'loop.service.consul' });
  const dig = digOver(reader);
  const a = (name: string, ...addresses: string[]) => addresses.map((address) => `${name} 0 A ${address}`);
  const srv1 = (name: string) => `${name} 0 SRV 1 5 8001 s1.node.dc1.consul`;
  const srv2 = (name: string) => `${name} 0 SRV 1 1 8002 0a830002.addr.dc1.consul`;
  const glue1 = 's1.node.dc1.consul 0 A 10.31.0.1';
  const glue2 = '0a830002.addr.dc1.consul 0 A 10.131.0.2';
  const both = (name: string) => ({ answer: [srv1(name), srv2(name)], additional: [glue1, glue2] });
  const webA = (name: string) => ({ answer: a(name, '10.31.0.1', '10.131.0.2') });
  check(
    () => dig,
    [
      ['web.service.consul', 'A', webA('web.service.consul')],
      ['web.service.consul', 'ANY', webA('web.service.consul')],
      ['web.service.consul', 'TXT', webA('web.service.consul')],
      ['web.service.consul', 'SRV', both('web.service.consul')],
      ['WEB.service.CONSUL', 'A', webA('WEB.service.CONSUL')],
      ['web.service.dc1.consul', 'SRV', both('web.service.dc1.consul')],
      ['web.service.DC1.consul', 'A', webA('web.service.DC1.consul')],
      ['web.service.dc1.dc.consul', 'A', webA('web.service.dc1.dc.consul')],
      ['web.service.consul', 'AAAA', NODATA],
      ['web.service.consul', 'MX', NODATA],
      ['web.service.consul', 'PTR', NODATA],
      ['web.service.consul', 'CNAME', NODATA],
      ['web.service.dc7.consul', 'A', NXDOMAIN],
      ['web.service.dc7.dc.consul', 'A', NXDOMAIN],
      ['blue.web.service.consul', 'A', { answer: a('blue.web.service.consul', '10.31.0.1') }],
      ['BLUE.web.service.consul', 'SRV', { answer: [srv1('BLUE.web.service.consul')], additional: [glue1] }],
      ['green.web.service.consul', 'A', { answer: a('green.web.service.consul', '10.131.0.2') }],
      ['v1.2.web.service.consul', 'A', { answer: a('v1.2.web.service.consul', '10.31.0.1') }],
      ['red.web.service.consul', 'A', NXDOMAIN],
      ['_web._tcp.service.consul', 'SRV', both('_web._tcp.service.consul')],
      ['_web._TCP.service.consul', 'SRV', both('_web._TCP.service.consul')],
      ['_web._blue.service.consul', 'SRV', { answer: [srv1('_web._blue.service.consul')], additional: [glue1] }],
      ['_web._tcp.consul', 'SRV', both('_web._tcp.consul')],
      ['_web._tcp.dc1.consul', 'SRV', both('_web._tcp.dc1.consul')],
      ['_web._tcp.service.dc1.dc.consul', 'SRV', both('_web._tcp.service.dc1.dc.consul')],
      ['_web._green.service.consul', 'A', { answer: a('_web._green.service.consul', '10.131.0.2') }],
      ['_web._red.service.consul', 'SRV', NXDOMAIN],
      ['_nosuch._tcp.service.consul', 'SRV', NXDOMAIN],
      ['nosuch.service.consul', 'A', NXDOMAIN],
      ['service.consul', 'A', NXDOMAIN],
      ['service.dc1.consul', 'A', NXDOMAIN],
      ['web.consul', 'A', NXDOMAIN],
      ['*.service.consul', 'A', NXDOMAIN],
      ['six.service.consul', 'AAAA', { answer: ['six.service.consul 0 AAAA 2001:db8::3'] }],
      ['six.service.consul', 'A', NODATA],
      [
        'six.service.consul',
        'SRV',
        {
          answer: ['six.service.consul 0 SRV 1 1 8003 20010db8000000000000000000000003.addr.dc1.consul'],
          additional: ['20010db8000000000000000000000003.addr.dc1.consul 0 AAAA 2001:db8::3'],
        },
      ],
      ['alias.service.consul', 'A', { answer: ['alias.service.consul 0 CNAME target.example.com'] }],
      ['alias.service.consul', 'CNAME', { answer: ['alias.service.consul 0 CNAME target.example.com'] }],
      ['alias.service.consul', 'SRV', { answer: ['alias.service.consul 0 SRV 1 1 8004 target.example.com'] }],
      [
        'inzone.service.consul',
        'A',
        {
          answer: [
            'inzone.service.consul 0 CNAME web.service.consul',
            ...a('web.service.consul', '10.31.0.1', '10.131.0.2'),
          ],
        },
      ],
      [
        'inzone.service.consul',
        'SRV',
        {
          answer: ['inzone.service.consul 0 SRV 1 1 8005 web.service.consul'],
          additional: a('web.service.consul', '10.31.0.1', '10.131.0.2'),
        },
      ],
    ],
  );

  it('follows a name that leads to itself only so far', async () => {
    const before = reader.lookups;
    const seen = await dig.ask('loop.service.consul', 'A', { edns: 4096 });
    expect(seen.is).toBe('NOERROR aa');
    expect(reader.lookups - before).toBeLessThanOrEqual(4);
  });

  it('looks up a bounded number of targets for one question', async () => {
    const wide = new FakeCatalogReader().addNode('n', '10.0.0.1');
    for (let i = 0; i < 200; i++) {
      wide.addInstance({ node: 'n', service: 'wide', Address: `t${i}.service.consul`, Port: i });
      for (let j = 0; j < 3; j++)
        wide.addInstance({ node: 'n', service: `t${i}`, Address: `t${i + j}.service.consul` });
    }
    await digOver(wide).ask('wide.service.consul', 'SRV');
    expect(wide.lookups).toBeLessThan(64);
  });
});

describe('namespaces, ports and datacenters in names', () => {
  const reader = new FakeCatalogReader()
    .addNode('n1', '10.0.0.1')
    .addNode('n2', '10.0.0.2')
    .addInstance({
      node: 'n1',
      service: 'web',
      Tags: ['blue'],
      Ports: [
        { Name: 'http', Port: 80, Default: true },
        { Name: 'grpc', Port: 9090 },
      ],
    })
    .addInstance({ node: 'n2', service: 'web', Tags: ['green'] })
    .addInstance({ node: 'n2', service: 'web', Namespace: 'shop', Address: '10.9.9.9' })
    .addInstance({ node: 'n2', service: 'node', Address: '10.9.9.8' })
    .addInstance({ node: 'n2', service: 'port', Tags: ['x'], Address: '10.9.9.7' });
  const dig = digOver(reader);
  const one = (name: string, address: string): Expected => ({ answer: [`${name} 0 A ${address}`] });
  const shop: Case[] = [
    'web.service.shop.ns.consul',
    'web.service.shop.ns.dc1.consul',
    'web.service.shop.ns.dc1.dc.consul',
    'web.service.dc1.dc.shop.ns.consul',
    'web.service.shop.ns.default.ap.dc1.dc.consul',
    'web.service.SHOP.NS.consul',
    '_web._tcp.service.shop.ns.consul',
    '_web._tcp.shop.ns.consul',
  ].map((name) => [name, 'A', one(name, '10.9.9.9')]);
  const grpc = (name: string): Expected => ({
    answer: [`${name} 0 SRV 1 1 9090 n1.node.dc1.consul`],
    additional: ['n1.node.dc1.consul 0 A 10.0.0.1'],
  });
  check(
    () => dig,
    [
      ...shop,
      ['web.service.nowhere.ns.consul', 'A', NXDOMAIN],
      ['web.service.shop.ns.dc2.consul', 'A', NXDOMAIN],
      ['web.service.shop.ns.shop.ns.consul', 'A', NXDOMAIN],
      ['web.service.other.ap.consul', 'A', NXDOMAIN],
      ['web.service.cluster.peer.consul', 'A', NXDOMAIN],
      ['web.service.shop.dc1.consul', 'A', NXDOMAIN],
      ['web.service.default.ns.consul', 'AAAA', NODATA],
      ['node.service.consul', 'A', one('node.service.consul', '10.9.9.8')],
      ['port.service.consul', 'A', one('port.service.consul', '10.9.9.7')],
      ['x.port.service.consul', 'A', one('x.port.service.consul', '10.9.9.7')],
      ['grpc.port.web.service.consul', 'SRV', grpc('grpc.port.web.service.consul')],
      ['GRPC.PORT.web.service.consul', 'SRV', grpc('GRPC.PORT.web.service.consul')],
      ['grpc.port.blue.web.service.consul', 'SRV', grpc('grpc.port.blue.web.service.consul')],
      ['blue.grpc.port.web.service.consul', 'SRV', grpc('blue.grpc.port.web.service.consul')],
      ['grpc.port.web.service.consul', 'A', one('grpc.port.web.service.consul', '10.0.0.1')],
      ['grpc.port.green.web.service.consul', 'SRV', NXDOMAIN],
      ['admin.port.web.service.consul', 'SRV', NXDOMAIN],
    ],
  );
});

describe('health in answers', () => {
  const weights = { Passing: 9, Warning: 3 };
  const reader = new FakeCatalogReader();
  for (const i of [1, 2, 3, 4]) reader.addNode(`h${i}`, `10.32.0.${i}`);
  reader
    .addInstance({ node: 'h1', service: 'app', Port: 1, Weights: weights, status: 'passing' })
    .addInstance({ node: 'h2', service: 'app', Port: 1, Weights: weights, status: 'warning' })
    .addInstance({ node: 'h3', service: 'app', Port: 1, Weights: weights, status: 'critical' })
    .addInstance({ node: 'h4', service: 'down', status: 'critical' })
    .addInstance({ node: 'h4', service: 'odd', Weights: { Passing: 70_000, Warning: 1 } });
  const h1 = 'h1.node.dc1.consul 0 A 10.32.0.1';
  const h2 = 'h2.node.dc1.consul 0 A 10.32.0.2';
  const dig = digOver(reader);
  check(
    () => dig,
    [
      ['app.service.consul', 'A', { answer: ['app.service.consul 0 A 10.32.0.1', 'app.service.consul 0 A 10.32.0.2'] }],
      [
        'app.service.consul',
        'SRV',
        {
          answer: [
            'app.service.consul 0 SRV 1 9 1 h1.node.dc1.consul',
            'app.service.consul 0 SRV 1 3 1 h2.node.dc1.consul',
          ],
          additional: [h1, h2],
        },
      ],
      ['down.service.consul', 'A', NXDOMAIN],
      ['down.service.consul', 'SRV', NXDOMAIN],
      ['down.service.consul', 'MX', NXDOMAIN],
      ['h4.node.consul', 'A', { answer: ['h4.node.consul 0 A 10.32.0.4'] }],
      [
        'odd.service.consul',
        'SRV',
        {
          answer: ['odd.service.consul 0 SRV 1 65535 80 h4.node.dc1.consul'],
          additional: ['h4.node.dc1.consul 0 A 10.32.0.4'],
        },
      ],
    ],
  );

  it('drops warnings with only_passing', async () => {
    const seen = await digOver(reader, { onlyPassing: true }).ask('app.service.consul', 'A');
    expect(seen.answer).toEqual(['app.service.consul 0 A 10.32.0.1']);
  });
});

describe('settings', () => {
  const reader = new FakeCatalogReader()
    .addServer('t1', '10.37.0.1', { Meta: { k: 'v' } })
    .addNode('n', '10.40.0.1')
    .addInstance({ node: 't1', service: 'web', Port: 1 })
    .addInstance({ node: 't1', service: 'db-x', Port: 1 })
    .addInstance({ node: 't1', service: 'db-x-long', Port: 1 })
    .addInstance({ node: 't1', service: 'rest', Port: 1 })
    .addInstance({ node: 'n', service: 'own', Address: '10.40.1.1' });

  describe('TTLs and SOA', () => {
    const dig = digOver(reader, {
      nodeTtlSeconds: 11,
      serviceTtlSeconds: { '*': 5, Web: 20, 'db-*': 30, 'db-x-*': 40 },
      soa: { refresh: 60, retry: 30, expire: 90, minTtl: 7 },
      nodeMetaTxt: false,
    });
    const soa = 'consul 7 SOA ns.consul hostmaster.consul 1700000000 60 30 90 7';
    check(
      () => dig,
      [
        ['web.service.consul', 'A', { answer: ['web.service.consul 20 A 10.37.0.1'] }],
        [
          'web.service.consul',
          'SRV',
          {
            answer: ['web.service.consul 20 SRV 1 1 1 t1.node.dc1.consul'],
            additional: ['t1.node.dc1.consul 20 A 10.37.0.1'],
          },
        ],
        ['db-x.service.consul', 'A', { answer: ['db-x.service.consul 30 A 10.37.0.1'] }],
        ['db-x-long.service.consul', 'A', { answer: ['db-x-long.service.consul 40 A 10.37.0.1'] }],
        ['rest.service.consul', 'A', { answer: ['rest.service.consul 5 A 10.37.0.1'] }],
        ['t1.node.consul', 'A', { answer: ['t1.node.consul 11 A 10.37.0.1'] }],
        ['t1.node.consul', 'ANY', { answer: ['t1.node.consul 11 A 10.37.0.1', 't1.node.consul 11 TXT "k=v"'] }],
        ['none.service.consul', 'A', { is: 'NXDOMAIN aa', authority: [soa] }],
        [
          'consul',
          'SOA',
          {
            answer: [soa],
            authority: ['consul 11 NS t1.node.dc1.consul'],
            additional: ['t1.node.dc1.consul 11 A 10.37.0.1'],
          },
        ],
      ],
    );
  });

  describe('node metadata beside SRV records', () => {
    const dig = digOver(reader);
    check(
      () => dig,
      [
        [
          'web.service.consul',
          'SRV',
          {
            answer: ['web.service.consul 0 SRV 1 1 1 t1.node.dc1.consul'],
            additional: ['t1.node.dc1.consul 0 A 10.37.0.1', 't1.node.dc1.consul 0 TXT "k=v"'],
          },
        ],
        ['web.service.consul', 'A', { answer: ['web.service.consul 0 A 10.37.0.1'] }],
      ],
    );
  });

  describe('domains', () => {
    const dig = digOver(reader, { domain: 'corp.test.', altDomain: 'alt.test' });
    const srv = (zone: string): Expected => ({
      answer: [`own.service.${zone} 0 SRV 1 1 80 0a280101.addr.dc1.${zone}`],
      additional: [`0a280101.addr.dc1.${zone} 0 A 10.40.1.1`],
    });
    const soa = 'SOA ns.corp.test hostmaster.corp.test 1700000000 3600 600 86400 0';
    check(
      () => dig,
      [
        ['own.service.corp.test', 'SRV', srv('corp.test')],
        ['own.service.alt.test', 'SRV', srv('alt.test')],
        ['n.node.alt.test', 'A', { answer: ['n.node.alt.test 0 A 10.40.0.1'] }],
        ['own.service.consul', 'A', { is: 'REFUSED' }],
        [
          'alt.test',
          'SOA',
          {
            answer: [`corp.test 0 ${soa}`],
            authority: ['alt.test 0 NS t1.node.dc1.alt.test'],
            additional: ['t1.node.dc1.alt.test 0 A 10.37.0.1'],
          },
        ],
        [
          'none.service.alt.test',
          'A',
          {
            is: 'NXDOMAIN aa',
            authority: ['alt.test 0 SOA ns.alt.test hostmaster.alt.test 1700000000 3600 600 86400 0'],
          },
        ],
      ],
    );
  });

  it.each([
    [{ domain: 'a..b' }, 'domain'],
    [{ altDomain: 'x'.repeat(64) }, 'alt_domain'],
    [{ nodeTtlSeconds: -1 }, 'node_ttl'],
    [{ serviceTtlSeconds: { web: Number.NaN } }, 'service_ttl "web"'],
    [{ soa: { refresh: 2 ** 31 } }, 'soa refresh'],
  ])('refuses %j and names it', (options, field) => {
    expect(() => digOver(reader, options)).toThrow(
      expect.objectContaining({ code: 'config', message: expect.stringContaining(field) }),
    );
  });
});

describe('names that fit no DNS name', () => {
  const label = 'x'.repeat(64);
  const reader = new FakeCatalogReader()
    .addNode(label, '10.0.0.1', { Meta: { k: 'v' } })
    .addNode('white space', '10.0.0.2')
    .addInstance({ node: label, service: 'web' })
    .addInstance({ node: 'white space', service: 'space' })
    .addInstance({ node: 'white space', service: 'bad', Address: 'no..name' })
    .addInstance({ node: 'white space', service: 'none', Address: `${label}.example.org` });
  const dig = digOver(reader);
  check(
    () => dig,
    [
      [
        'web.service.consul',
        'SRV',
        {
          answer: ['web.service.consul 0 SRV 1 1 80 0a000001.addr.dc1.consul'],
          additional: ['0a000001.addr.dc1.consul 0 A 10.0.0.1'],
        },
      ],
      [
        'space.service.consul',
        'SRV',
        {
          answer: ['space.service.consul 0 SRV 1 1 80 white space.node.dc1.consul'],
          additional: ['white space.node.dc1.consul 0 A 10.0.0.2'],
        },
      ],
      ['white space.node.consul', 'A', { answer: ['white space.node.consul 0 A 10.0.0.2'] }],
      ['bad.service.consul', 'A', NODATA],
      ['bad.service.consul', 'SRV', NODATA],
      ['none.service.consul', 'A', NODATA],
    ],
  );
});
