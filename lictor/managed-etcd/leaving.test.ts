import type { RouteRequest } from '../../api/http/route.ts';
import { FakeClock } from '../../core/clock.ts';
import { InTurn } from '../../core/in-turn.ts';
import { silentLogger } from '../../core/log.ts';
import { type LeavingDeps, leaveRefusal, leaveRoute } from './leaving.ts';

/** s0 leaves; the others are alive or not. */
function refusal(...others: boolean[]): string | undefined {
  const voters = [true, ...others].map((alive, at) => ({ name: `s${at}`, alive }));
  return leaveRefusal(voters, 's0');
}

describe('leaveRefusal', () => {
  it('lets a server leave when those that stay have a quorum, and the last one always', () => {
    expect(refusal(true, true)).toBeUndefined();
    expect(refusal(true, true, false)).toBeUndefined();
    expect(refusal(true)).toBeUndefined();
    expect(refusal()).toBeUndefined();
  });

  it('refuses otherwise, and says who is missing and what to do', () => {
    expect(refusal(true, false)).toMatch(/^without s0 the other servers .* s2 of 2 do not answer; bring them back/);
    expect(refusal(false)).toMatch(/s1 of 1/);
    expect(refusal(true, false, false)).toMatch(/s2, s3 of 3 .*remove-peer.*SIGTERM/);
  });
});

describe('servers that leave at the same time', () => {
  it('and other changes of the members go one after the other', async () => {
    const membership = new InTurn();
    const seen: string[] = [];
    let finish: () => void = () => {};
    const entering = membership.run(
      () =>
        new Promise<void>((resolve) => {
          finish = resolve;
        }),
    );
    const list = async () => {
      seen.push('leaves');
      throw new Error('enough');
    };
    const deps = { membership, process: { members: { list } }, server: () => undefined } as unknown as LeavingDeps;
    const body = Buffer.from(JSON.stringify({ name: 's1', id: 'id-s1' }));
    const leaving = Promise.resolve(leaveRoute(deps).handle({ body } as RouteRequest)).catch(() => {});
    await new Promise((resolve) => setImmediate(resolve));
    expect(seen).toEqual([]);
    finish();
    await Promise.all([entering, leaving]);
    expect(seen).toEqual(['leaves']);
  });

  it('are judged by the members that are left then: the second is refused where the rest would have no quorum', async () => {
    // s0 leads, s3 is dead: one of the others can be missed, not both.
    let members = ['s0', 's1', 's2', 's3'].map((name) => ({ id: name, name, peerUrls: [name], learner: false }));
    const deps = {
      clock: new FakeClock(),
      log: silentLogger,
      membership: new InTurn(),
      calls: { isAlive: async (url: string) => url !== 's3' },
      process: {
        members: {
          list: async () => ({ clusterId: '1', ownId: 's0', members }),
          remove: async (id: string) => {
            members = members.filter((one) => one.id !== id);
          },
        },
      },
      server: () => ({
        leads: () => true,
        deregister: async () => {},
        quorum: { members: () => ({ servers: [] }) },
      }),
    } as unknown as LeavingDeps;
    const route = leaveRoute(deps);
    const ask = (name: string) =>
      route.handle({ body: Buffer.from(JSON.stringify({ name, id: `id-${name}` })) } as RouteRequest);
    const [first, second] = await Promise.all([ask('s1'), ask('s2')]);
    expect(first).toEqual({ json: {} });
    expect(second).toEqual({ json: { refused: expect.stringMatching(/^without s2 .* s3 of 2 do not answer/) } });
    expect(members.map(({ name }) => name)).toEqual(['s0', 's2', 's3']);
  });
});
