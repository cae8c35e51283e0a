import { DEFAULT_AUTOPILOT, type RaftServer } from '../../api/shapes/operator.ts';
import { FakeClock } from '../../core/clock.ts';
import { InTurn } from '../../core/in-turn.ts';
import { createLogger } from '../../core/log.ts';
import { DeadMembers, type MemberLook, memberToRemove, type RemovalRules } from './dead-members.ts';

const RULES: RemovalRules = { cleanup: true, floor: 3, deadMs: 10_000 };
const LONG = 100_000;

function members(...silent: number[]): MemberLook[] {
  return silent.map((silentMs, at) => ({ id: `${at}`, name: `s${at}`, learner: false, silentMs, listed: true }));
}

function removed(looks: readonly MemberLook[], rules: Partial<RemovalRules> = {}): string | undefined {
  return memberToRemove(looks, { ...RULES, ...rules })?.name;
}

describe('memberToRemove', () => {
  it('takes out a dead one when enough others live, and leaves it while they are fewer', () => {
    expect(removed(members(0, 0, 0, LONG))).toBe('s3');
    expect(removed(members(0, 0, LONG))).toBeUndefined();
    expect(removed(members(0, 0, 0, LONG), { floor: 4 })).toBeUndefined();
    expect(removed(members(0, 0, 0, LONG), { cleanup: false })).toBeUndefined();
  });

  it('does not take out one that was silent for a moment, nor one that answers', () => {
    expect(removed(members(0, 0, 0, 9999))).toBeUndefined();
    expect(removed(members(0, 0, 0, 0).map((one) => ({ ...one, listed: false })))).toBeUndefined();
  });

  it('takes out a silent one that the operator has removed, however few there are and whatever cleanup says', () => {
    const [first, second, third] = members(0, 0, LONG);
    const looks = [first!, second!, { ...third!, listed: false }];
    expect(removed(looks, { cleanup: false })).toBe('s2');
  });

  it('takes out nothing when the living are no quorum', () => {
    const looks = members(0, 0, LONG, LONG).map((one) => ({ ...one, listed: one.silentMs === 0 }));
    expect(removed(looks, { floor: 1 })).toBeUndefined();
    expect(removed(looks.slice(1), { floor: 1 })).toBeUndefined();
  });

  it('takes out a learner that has not come for a minute, and does not count it', () => {
    const learner = { id: '9', name: '', learner: true, listed: false };
    expect(removed([...members(0, 0), { ...learner, silentMs: 59_999 }])).toBeUndefined();
    expect(memberToRemove([...members(0, 0), { ...learner, silentMs: 60_000 }], RULES)?.id).toBe('9');
  });
});

describe('DeadMembers', () => {
  /** Four servers, of which the last one answers while `alive` and is known as failed while `failed`. */
  async function runWith(state: { alive: boolean; failed: boolean; leads: boolean }) {
    const clock = new FakeClock();
    const stop = new AbortController();
    let members = ['s0', 's1', 's2', 's3'];
    let listed = [...members];
    const work = new DeadMembers(
      {
        clock,
        log: createLogger({ sink: { write: () => {} } }),
        members: {
          list: async () => ({
            clusterId: '1',
            ownId: 's0',
            members: members.map((name) => ({ id: name, name, learner: false, peerUrls: [name] })),
          }),
          remove: async (id) => {
            members = members.filter((one) => one !== id);
          },
        },
        membership: new InTurn(),
        isAlive: async (url) => url !== 's3' || state.alive,
        autopilot: { config: () => ({ ...DEFAULT_AUTOPILOT, CreateIndex: 1, ModifyIndex: 1 }) },
        quorum: {
          members: () => ({ index: 1, servers: listed.map((Node) => ({ ID: `id-${Node}`, Node }) as RaftServer) }),
          remove: async (by) => {
            if (!state.failed || !('id' in by) || by.id !== 'id-s3') return 'it is alive';
            listed = listed.filter((one) => one !== 's3');
            return undefined;
          },
        },
        leads: () => state.leads,
      },
      { expect: 3 },
    );
    const done = work.run({ signal: stop.signal, ready: () => {} });
    return {
      advance: (ms: number) => clock.advance(ms),
      names: () => ({ members, listed }),
      end: async () => {
        stop.abort();
        await done;
      },
    };
  }

  it('takes a silent server out of etcd, and out of the catalog once that has it as failed', async () => {
    const state = { alive: false, failed: false, leads: true };
    const run = await runWith(state);
    await run.advance(11_000);
    expect(run.names()).toEqual({ members: ['s0', 's1', 's2', 's3'], listed: ['s0', 's1', 's2', 's3'] });
    await run.advance(3000);
    expect(run.names()).toEqual({ members: ['s0', 's1', 's2'], listed: ['s0', 's1', 's2', 's3'] });
    state.failed = true;
    await run.advance(2000);
    expect(run.names().listed).toEqual(['s0', 's1', 's2']);
    await run.end();
  });

  it('counts the silence anew after an answer, and when it leads again', async () => {
    const state = { alive: false, failed: true, leads: true };
    const run = await runWith(state);
    await run.advance(9000);
    state.alive = true;
    await run.advance(2000);
    state.alive = false;
    await run.advance(9000);
    state.leads = false;
    await run.advance(60_000);
    state.leads = true;
    await run.advance(9000);
    expect(run.names().members).toContain('s3');
    await run.advance(5000);
    expect(run.names()).toEqual({ members: ['s0', 's1', 's2'], listed: ['s0', 's1', 's2'] });
    await run.end();
  });
});
