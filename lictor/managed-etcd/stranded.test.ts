import { type StrandedFacts, strandedText } from './stranded.ts';

describe('strandedText', () => {
  /** Three members that were at 10.0.0.1 to 3; the first one asks. */
  const facts = (own: string, heard: Record<string, string>): StrandedFacts => ({
    members: ['1', '2', '3', '4'].map((n) => ({
      ...{ name: `s${n}`, learner: n === '4' },
      peerUrls: [`http://10.0.0.${n}:2380`],
    })),
    ownName: 's1',
    peerUrl: `http://${own}:2380`,
    heard: new Map(Object.entries(heard)),
  });

  it('says where all were and are when all have moved, and what to do', () => {
    const text = strandedText(facts('10.1.0.1', { s2: '10.1.0.2:8300', s3: '[fd00::3]:8300' }));
    expect(text).toContain(
      's1 (was at 10.0.0.1:2380, is at 10.1.0.1), s2 (was at 10.0.0.2:2380, is at 10.1.0.2), ' +
        's3 (was at 10.0.0.3:2380, is at [fd00::3]). Etcd',
    );
    expect(text).toMatch(/start one of them where it was.*docs\/servers\.md, "All servers have moved at once"/);
  });

  it('names those that have not been heard of: they may be where they were', () => {
    const text = strandedText(facts('10.1.0.1', { s2: '10.1.0.2:8300' }));
    expect(text).toMatch(/not been heard of: s3 at 10\.0\.0\.3:2380\. .*bring one of those back where it was/);
  });

  it('says nothing while one is where it was: it finds the others', () => {
    expect(strandedText(facts('10.1.0.1', { s2: '10.1.0.2:8300', s3: '10.0.0.3:8300' }))).toBeUndefined();
    expect(strandedText(facts('10.0.0.1', { s2: '10.1.0.2:8300', s3: '10.1.0.3:8300' }))).toBeUndefined();
  });
});
