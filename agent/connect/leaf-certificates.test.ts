import type { CaRoots, IssuedCertificate } from '../../api/shapes/connect.ts';
import { certificateTime } from '../../api/shapes/connect.ts';
import { FakeClock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { silentLogger } from '../../core/log.ts';
import { SeededRandom } from '../../core/random.ts';
import { readSigningRequest } from '../../core/x509/signing-request.ts';
import { LeafCertificates } from './leaf-certificates.ts';
import type { KnownRoots } from './root-follower.ts';

const HOUR = 3_600_000;
const WEB = { kind: 'service', namespace: 'default', datacenter: 'dc1', service: 'web' } as const;

function setUp() {
  const clock = new FakeClock();
  const random = new SeededRandom(1);
  let rootId = 'r1';
  let listener = () => {};
  const signed: string[] = [];
  const state = { fails: false, offsetMs: 0, ttlMs: 72 * HOUR };
  const roots = {
    get known(): KnownRoots {
      const known = { ActiveRootID: rootId, TrustDomain: 't.consul', Roots: [] } satisfies CaRoots;
      return { index: 1, roots: known, atMs: 0 };
    },
    get: async () => roots.known,
    onChange: (call: () => void) => {
      listener = call;
      return () => {};
    },
  };
  const authority = {
    sign: async (csr: string): Promise<IssuedCertificate> => {
      if (state.fails) throw new AppError('unavailable', 'no servers');
      const { uri } = await readSigningRequest(csr);
      signed.push(uri);
      return {
        SerialNumber: `0${signed.length}`,
        CertPEM: 'pem',
        URI: uri,
        ValidAfter: certificateTime(clock.now() + state.offsetMs),
        ValidBefore: certificateTime(clock.now() + state.offsetMs + state.ttlMs),
        RootID: rootId,
        Index: 7,
      };
    },
  };
  const log = silentLogger;
  const leaves = new LeafCertificates({ clock, random, log, authority, roots }, { maxLeaves: 2 });
  const rotate = (id: string) => {
    rootId = id;
    listener();
  };
  return { clock, leaves, signed, state, rotate };
}

/** Keys are made on other threads: time that the fake clock does not know. */
async function settled(done: () => boolean): Promise<void> {
  for (let turn = 0; turn < 20_000 && !done(); turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(done()).toBe(true);
}

describe('leaf certificates', () => {
  it('are signed for once, however many ask', async () => {
    const { leaves, signed } = setUp();
    const answers = await Promise.all([leaves.get(WEB), leaves.get(WEB), leaves.get(WEB)]);
    expect(signed).toEqual(['spiffe://t.consul/ns/default/dc/dc1/svc/web']);
    expect(new Set(answers.map(({ leaf }) => leaf.SerialNumber)).size).toBe(1);
    expect(await leaves.get(WEB)).toMatchObject({ hit: true });
  });

  it('are renewed between 60 and 90 % of their life, with a greater index, and wake who waits', async () => {
    const { clock, leaves, signed } = setUp();
    const first = await leaves.get(WEB);
    let woken = 0;
    leaves.watch(WEB, () => woken++);
    await clock.advance(72 * HOUR * 0.6 - 1000);
    expect(signed).toHaveLength(1);
    await clock.advance(72 * HOUR * 0.3 + 1000);
    await settled(() => woken === 1);
    const second = await leaves.get(WEB);
    expect(second.leaf.ModifyIndex).toBeGreaterThan(first.leaf.ModifyIndex);
  });

  it.each([
    ['an hour ahead', HOUR],
    ['an hour behind', -HOUR],
  ])('are renewed in time, not again and again, when the servers’ clock is %s', async (_, offsetMs) => {
    const { clock, leaves, signed, state } = setUp();
    state.offsetMs = offsetMs;
    state.ttlMs = HOUR;
    await leaves.get(WEB);
    leaves.watch(WEB, () => {});
    expect(await leaves.get(WEB)).toMatchObject({ hit: true });
    await clock.advance(HOUR * 0.6 - 1000);
    expect(signed).toHaveLength(1);
    await clock.advance(HOUR * 0.3 + 1000);
    await settled(() => signed.length === 2 && leaves.peek(WEB)?.leaf.SerialNumber === '02');
    expect(await leaves.get(WEB)).toMatchObject({ hit: true });
  });

  it('are renewed in time when the wall clock was set back, and once when it was set forward', async () => {
    const { clock, leaves, signed, state } = setUp();
    state.ttlMs = HOUR;
    await leaves.get(WEB);
    clock.jumpWall(-HOUR);
    await clock.advance(HOUR * 0.9);
    await settled(() => signed.length === 2 && leaves.peek(WEB)?.leaf.SerialNumber === '02');
    clock.jumpWall(2 * HOUR);
    expect(await leaves.get(WEB)).toMatchObject({ hit: false });
    expect(await leaves.get(WEB)).toMatchObject({ hit: true });
    expect(signed).toHaveLength(3);
  });

  it('are renewed within 30 s of a new root, and at once for who asks', async () => {
    const { clock, leaves, signed, rotate } = setUp();
    await leaves.get(WEB);
    rotate('r2');
    await clock.advance(30_000);
    await settled(() => leaves.peek(WEB)?.rootId === 'r2');
    rotate('r3');
    expect(await leaves.get(WEB)).toMatchObject({ hit: false, rootId: 'r3' });
    expect(signed).toHaveLength(3);
  });

  it('stay while the servers are away, until they expire', async () => {
    const { clock, leaves, state } = setUp();
    const first = await leaves.get(WEB);
    state.fails = true;
    await clock.advance(71 * HOUR);
    expect((await leaves.get(WEB)).leaf).toEqual(first.leaf);
    await clock.advance(2 * HOUR);
    await expect(leaves.get(WEB)).rejects.toThrow('no servers');
  });

  it('that expired while the machine slept are not given out, though no server answers', async () => {
    const { clock, leaves, state } = setUp();
    await leaves.get(WEB);
    state.fails = true;
    // The monotonic clock stands still meanwhile.
    clock.jumpWall(80 * HOUR);
    await expect(leaves.get(WEB)).rejects.toThrow('no servers');
  });

  it('are forgotten for others when there are too many, never those that are waited for', async () => {
    const { leaves } = setUp();
    const named = (service: string) => ({ ...WEB, service });
    leaves.watch(WEB, () => {});
    await leaves.get(WEB);
    await leaves.get(named('a'));
    await leaves.get(named('b'));
    expect([leaves.peek(WEB), leaves.peek(named('a'))]).toEqual([expect.anything(), undefined]);
    leaves.watch(named('b'), () => {});
    await expect(leaves.get(named('c'))).rejects.toThrow('too many certificates');
  });
});
