import { SystemClock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { SeededRandom } from '../../core/random.ts';
import { Dig } from '../../test/support/dig.ts';
import { FakeCatalogReader } from '../../test/support/fake-catalog-reader.ts';
import { type Behaviour, outsideServers } from '../../test/support/outside-dns.ts';
import { answerSettings } from '../dns-options.ts';
import { createResponder } from '../responder.ts';
import { Recursor, type RecursorOptions } from './recursor.ts';
import { recursorAddress } from './recursor-address.ts';

describe('recursors', () => {
  const { servers, addresses } = outsideServers(2);

  function dig(options: Partial<RecursorOptions> = {}): Dig {
    const clock = new SystemClock();
    const deps = { clock, log: silentLogger, metrics: new Metrics(), random: new SeededRandom(1) };
    const recursor = new Recursor(deps, { addresses, strategy: 'sequential', timeoutMs: 150, ...options });
    const reader = new FakeCatalogReader()
      .addNode('n1', '10.0.0.1')
      .addInstance({ node: 'n1', service: 'out', Address: 'www.example.org' });
    const settings = answerSettings({ hosts: [''], port: 0, datacenter: 'dc1' });
    return new Dig(createResponder({ ...deps, reader, recursor }, { settings, lookupTimeoutMs: 2000 }));
  }
  const FOUND = ['real.example.org 9 A 192.0.2.7', 'www.example.org 9 CNAME real.example.org'];

  it.each([{}, { tcp: true }])(
    'answer for names outside the zone, over the transport of the question (%o)',
    async (how) => {
      expect(await dig().ask('www.example.org', 'A', how)).toMatchObject({ is: 'NOERROR ra', answer: FOUND });
      expect(servers[1]!.asked).toEqual([]);
    },
  );

  it.each<Behaviour>(['servfail', 'silent', 'forged'])('are tried in turn after one that is %s', async (behaviour) => {
    servers[0]!.behaviour = behaviour;
    expect((await dig().ask('www.example.org', 'A')).answer).toEqual(FOUND);
  });

  it('are believed when a name does not exist', async () => {
    servers[0]!.behaviour = 'nxdomain';
    expect((await dig().ask('www.example.org', 'A')).is).toBe('NXDOMAIN ra');
    expect(servers[1]!.asked).toEqual([]);
  });

  it('give SERVFAIL when none of them answers', async () => {
    for (const server of servers) server.behaviour = 'silent';
    expect((await dig().ask('www.example.org', 'A')).is).toBe('SERVFAIL ra');
  });

  it('give SERVFAIL when there is no way to any of them', async () => {
    const cannot = [{ host: '255.255.255.255', port: 53 }];
    expect((await dig({ addresses: cannot }).ask('www.example.org', 'A')).is).toBe('SERVFAIL ra');
    expect((await dig({ addresses: [...cannot, addresses[1]!] }).ask('www.example.org', 'A')).answer).toEqual(FOUND);
  });

  it('are not asked for names of the zone, which say that recursion is available', async () => {
    expect((await dig().ask('n1.node.consul', 'A')).is).toBe('NOERROR aa ra');
    expect((await dig().ask('nope.service.consul', 'A')).is).toBe('NXDOMAIN aa ra');
    expect(servers[0]!.asked).toEqual([]);
  });

  it('are asked for addresses that the catalog has no name for', async () => {
    expect((await dig().ask('9.9.9.9.in-addr.arpa', 'PTR')).is).toBe('NOERROR ra');
    expect(servers[0]!.asked).toEqual(['9.9.9.9.in-addr.arpa PTR']);
  });

  it('complete the answer of an instance whose address is a name outside', async () => {
    expect(await dig().ask('out.service.consul', 'A')).toMatchObject({
      is: 'NOERROR aa ra',
      answer: ['out.service.consul 0 CNAME www.example.org', ...FOUND].sort(),
    });
    for (const server of servers) server.behaviour = 'silent';
    expect((await dig().ask('out.service.consul', 'A')).answer).toEqual(['out.service.consul 0 CNAME www.example.org']);
  });

  it('are tried in another order each time when that is asked for', async () => {
    const asker = dig({ strategy: 'random' });
    for (let i = 0; i < 20; i++) await asker.ask('www.example.org', 'A');
    expect(servers.every((server) => server.asked.length > 0)).toBe(true);
  });
});

describe('a recursor’s address', () => {
  it.each([
    ['8.8.8.8', '8.8.8.8', 53],
    ['8.8.8.8:5353', '8.8.8.8', 5353],
    ['2001:db8::1', '2001:db8::1', 53],
    ['[2001:db8::1]:5353', '2001:db8::1', 5353],
  ])('%s', (text, host, port) => {
    expect(recursorAddress(text)).toEqual({ host, port });
  });

  it.each(['dns.example.org', '8.8.8.8:0', '8.8.8.8:99999', ''])('refuses %j', (text) => {
    expect(() => recursorAddress(text)).toThrow(AppError);
  });
});
