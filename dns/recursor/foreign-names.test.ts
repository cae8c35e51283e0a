import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { SeededRandom } from '../../core/random.ts';
import { Dig } from '../../test/support/dig.ts';
import { eventually } from '../../test/support/eventually.ts';
import { FakeCatalogReader } from '../../test/support/fake-catalog-reader.ts';
import { outsideServers } from '../../test/support/outside-dns.ts';
import { answerSettings } from '../dns-options.ts';
import { createResponder } from '../responder.ts';
import { Recursor } from './recursor.ts';

/** More than may be asked about, or be overdue, at a time. */
const MANY = 1_100;
const REAL = 'real.example.org 9 A 192.0.2.7';

describe('targets outside the zones', () => {
  const { servers, addresses } = outsideServers(2);

  /** `web` is inside, `out` has eight names outside, `out<n>` one each. */
  function dig(): Dig {
    const reader = new FakeCatalogReader().addNode('n1', '10.0.0.1').addInstance({ node: 'n1', service: 'web' });
    for (let i = 0; i < 8; i++)
      reader.addInstance({ node: 'n1', service: 'out', Address: `h${i}.example.org`, Port: i });
    for (let i = 0; i < MANY; i++)
      reader.addInstance({ node: 'n1', service: `out${i}`, Address: `www${i}.example.org` });
    const deps = { clock: new SystemClock(), log: silentLogger, metrics: new Metrics(), random: new SeededRandom(1) };
    const recursor = new Recursor(deps, { addresses, strategy: 'sequential', timeoutMs: 2_000 });
    const settings = answerSettings({ hosts: [''], port: 0, datacenter: 'dc1' });
    return new Dig(createResponder({ ...deps, reader, recursor }, { settings, lookupTimeoutMs: 2_000 }));
  }
  const bare = (i: number) => [`out${i}.service.consul 0 CNAME www${i}.example.org`];
  const answer = (i: number) => [bare(i)[0], REAL, `www${i}.example.org 9 CNAME real.example.org`];

  it('of one answer are asked about at the same time', async () => {
    let release = (): void => {};
    servers[0]!.hold = new Promise<void>((resolve) => {
      release = resolve;
    });
    servers[1]!.behaviour = 'silent';
    const pending = dig().ask('out.service.consul', 'SRV', { edns: 4096 });
    await eventually(() => servers[0]!.asked.length === 8, { withinMs: 10_000 });
    release();
    expect((await pending).additional.filter((record) => record === REAL)).toHaveLength(8);
  });

  it('are asked of the next recursor soon after one that is silent, and first of it from then on', async () => {
    servers[0]!.behaviour = 'silent';
    const asker = dig();
    expect((await asker.ask('out1.service.consul', 'A')).answer).toEqual(answer(1));
    expect([servers[0]!.asked, servers[1]!.asked]).toEqual([['www1.example.org A'], ['www1.example.org A']]);
    await eventually(
      async () => {
        const before = servers[0]!.asked.length;
        const i = 2 + servers[1]!.asked.length;
        expect((await asker.ask(`out${i}.service.consul`, 'A')).answer).toEqual(answer(i));
        return servers[0]!.asked.length === before;
      },
      { withinMs: 20_000 },
    );
  });

  it('do not exist only by the word of one that is asked first, or when those before it fail', async () => {
    let release = (): void => {};
    servers[0]!.hold = new Promise<void>((resolve) => {
      release = resolve;
    });
    servers[1]!.behaviour = 'nxdomain';
    const asker = dig();
    const pending = asker.ask('out1.service.consul', 'A');
    await eventually(() => servers[1]!.asked.length === 1, { withinMs: 10_000 });
    release();
    expect((await pending).answer).toEqual(answer(1));
    servers[0]!.behaviour = 'servfail';
    expect((await asker.ask('out2.service.consul', 'A')).answer).toEqual(bare(2));
  });

  it('are asked about over TCP when the answer was cut', async () => {
    servers[0]!.behaviour = 'cut';
    expect((await dig().ask('out1.service.consul', 'A')).answer).toEqual(answer(1));
    expect(servers[0]!.asked).toEqual(['www1.example.org A', 'www1.example.org A']);
  });

  it('that nobody answers for in time are named without addresses, and not asked about again at once', async () => {
    for (const server of servers) server.behaviour = 'silent';
    const asker = dig();
    expect(await asker.ask('out1.service.consul', 'A')).toMatchObject({ is: 'NOERROR aa ra', answer: bare(1) });
    for (const server of servers) server.behaviour = 'answer';
    expect((await asker.ask('out1.service.consul', 'A')).answer).toEqual(bare(1));
    expect(servers.map(({ asked }) => asked.length)).toEqual([1, 1]);
    await eventually(async () => expect((await asker.ask('out1.service.consul', 'A')).answer).toEqual(answer(1)), {
      withinMs: 50_000,
      everyMs: 250,
    });
  }, 60_000);

  it('are asked about once for all who want them', async () => {
    const asker = dig();
    const all = await Promise.all(Array.from({ length: 50 }, () => asker.ask('out1.service.consul', 'A')));
    expect(all.map((one) => one.answer)).toEqual(all.map(() => answer(1)));
    expect(servers[0]!.asked).toEqual(['www1.example.org A']);
  });

  it('never hold up questions inside, however many wait for a recursor that is silent', async () => {
    for (const server of servers) server.behaviour = 'silent';
    const asker = dig();
    const inside = async () => (await asker.ask('web.service.consul', 'A')).is;
    let waiting = MANY;
    const pending = Array.from({ length: MANY }, async (_, i) => {
      const seen = await asker.ask(`out${i}.service.consul`, 'A');
      waiting--;
      return seen;
    });
    expect(await inside()).toBe('NOERROR aa ra');
    expect(waiting).toBeGreaterThan(0);
    expect((await Promise.all(pending)).map(({ answer: records }) => records)).toEqual(pending.map((_, i) => bare(i)));
    expect(await inside()).toBe('NOERROR aa ra');
    expect(servers[0]!.asked.length).toBeLessThan(MANY / 2);
  }, 60_000);

  it('are not looked up for questions that have no use for them', async () => {
    await dig().ask('out1.service.consul', 'CNAME');
    expect(servers[0]!.asked).toEqual([]);
  });
});
