import { type MemberLook, memberToRemove, type RemovalRules } from './dead-members.ts';

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
