import { leaveRefusal } from './voters.ts';

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
