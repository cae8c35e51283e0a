import { ContentDigest } from './content-digest.ts';

type Entry = readonly [key: string, createRevision: number, modRevision: number];

const revisions = ([, createRevision, modRevision]: Entry) => ({ createRevision, modRevision });

function digestOf(entries: readonly Entry[]): ContentDigest {
  const digest = new ContentDigest();
  for (const entry of entries) digest.change(entry[0], undefined, revisions(entry));
  return digest;
}

const ENTRIES: readonly Entry[] = [
  ['a', 1, 1],
  ['b/é', 2, 7],
  ['\u{1F600}', 3, 2 ** 40],
];

describe('the digest of a content', () => {
  it('is that of no entries at first, and the same in whatever order they come', () => {
    expect(new ContentDigest().sum()).toEqual({ entries: 0, digest: '0000000000000000' });
    expect(digestOf([...ENTRIES].reverse()).sum()).toEqual(digestOf(ENTRIES).sum());
    expect(digestOf(ENTRIES).sum()).toEqual({ entries: 3, digest: expect.stringMatching(/^[0-9a-f]{16}$/) });
  });

  // Stores that exist hold it: another hash would refuse them all.
  it('is computed the same way by every version', () => {
    expect(digestOf(ENTRIES).sum().digest).toBe('d8ec899c7e9d6142');
  });

  it.each<[string, readonly Entry[]]>([
    ['an entry more', [...ENTRIES, ['c', 1, 1]]],
    ['an entry less', ENTRIES.slice(1)],
    ['another key', [['A', 1, 1], ...ENTRIES.slice(1)]],
    ['another creation', [...ENTRIES.slice(0, 1), ['b/é', 1, 7], ...ENTRIES.slice(2)]],
    ['another change', [...ENTRIES.slice(0, 1), ['b/é', 2, 8], ...ENTRIES.slice(2)]],
    ['another change by a high bit', [...ENTRIES.slice(0, 2), ['\u{1F600}', 3, 2 ** 41]]],
    ['revisions of two entries exchanged', [['a', 2, 7], ['b/é', 1, 1], ...ENTRIES.slice(2)]],
  ])('differs by %s', (_, entries) => {
    expect(digestOf(entries).equals(digestOf(ENTRIES).sum())).toBe(false);
    expect(digestOf(entries).sum().digest).not.toBe(digestOf(ENTRIES).sum().digest);
  });

  it('forgets what is removed; a copy goes its own way', () => {
    const digest = digestOf(ENTRIES);
    const copy = digest.copy();
    copy.change('c', undefined, { createRevision: 9, modRevision: 9 });
    expect(digest.equals(digestOf(ENTRIES).sum())).toBe(true);
    copy.change('c', { createRevision: 9, modRevision: 9 }, undefined);
    expect(copy.equals(digest.sum())).toBe(true);
    for (const entry of ENTRIES) copy.change(entry[0], revisions(entry), undefined);
    expect(copy.sum()).toEqual(new ContentDigest().sum());
  });

  it('counts a change of an entry once', () => {
    const digest = digestOf(ENTRIES);
    digest.change('a', { createRevision: 1, modRevision: 1 }, { createRevision: 1, modRevision: 9 });
    expect(digest.sum()).toEqual(digestOf([['a', 1, 9], ...ENTRIES.slice(1)]).sum());
  });

  it('tells 200,000 entries that are alike apart', () => {
    const seen = new Set<string>();
    for (let i = 0; i < 100_000; i++) {
      seen.add(digestOf([[`catalog/instance/${i}`, 5, 5]]).sum().digest);
      seen.add(digestOf([['catalog/instance/x', 5, 6 + i]]).sum().digest);
    }
    expect(seen.size).toBe(200_000);
  });
});
