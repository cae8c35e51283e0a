import { factsOf, withFacts } from './file-name.ts';

const self = {
  Config: { Version: '1.21.4', Datacenter: 'dc1', NodeName: 'n/1' },
  Stats: { consul: { leader: 'true' } },
};

describe('facts in the name of an archive', () => {
  it.each([
    ['backup.snap', 'version,dc,node,status', 'backup-1.21.4-dc1-n_1-leader.snap'],
    ['/var/b/backup', 'dc', '/var/b/backup-dc1'],
    ['/backup.snap', 'dc', '/backup-dc1.snap'],
  ])('%s with %s', (file, facts, expected) => {
    expect(withFacts(file, factsOf(facts), self)).toBe(expected);
  });

  it('are a follower’s where the agent does not lead, and named when they are unknown', () => {
    expect(withFacts('a', factsOf('status'), { ...self, Stats: {} })).toBe('a-follower');
    expect(factsOf(undefined)).toEqual([]);
    expect(() => factsOf('versoin')).toThrow(/there is no "versoin"; did you mean version\?/);
    expect(() => factsOf('dc,')).toThrow(/there is no ""/);
  });
});
