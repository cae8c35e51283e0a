import type { MirroredEntry } from '../../intention-mirror/intention-mirror.ts';
import { decideEntry, surplusEntries } from './decide-entry.ts';

const entry = (fields: Partial<MirroredEntry>): MirroredEntry => ({
  destination: 'db',
  modifyIndex: 7,
  owner: 'kubernetes/prod',
  ref: 'Intention/shop/db',
  digest: 'same',
  version: '',
  ...fields,
});
const isOwn = ({ owner, ref }: MirroredEntry) => owner === 'kubernetes/prod' && ref !== undefined;

describe('what is done about the entry of a destination', () => {
  it.each([
    ['none is there', undefined, { do: 'write', cas: 0 }],
    ['ours says the same', entry({}), { do: 'nothing' }],
    ['ours says something else', entry({ digest: 'other' }), { do: 'write', cas: 7 }],
    ['another Intention of ours wrote it', entry({ ref: 'Intention/a/b', digest: 'other' }), { do: 'write', cas: 7 }],
    ['somebody wrote it by hand', entry({ owner: undefined, ref: undefined }), { do: 'leave' }],
    ['another cluster wrote it', entry({ owner: 'kubernetes/test' }), { do: 'leave' }],
    [
      'it is another’s and says the same by chance',
      entry({ owner: 'kubernetes/test', digest: 'same' }),
      { do: 'leave' },
    ],
    ['it names us but no object', entry({ ref: undefined }), { do: 'leave' }],
  ] as const)('when %s', (_, found, expected) => {
    expect(decideEntry('same', found, isOwn)).toMatchObject(expected);
  });
});

describe('the entries that an Intention wants no more', () => {
  const declared = [entry({}), entry({ destination: 'Cache' })];
  const names = (wanted?: string) => surplusEntries(declared, wanted).map(({ destination }) => destination);

  it.each([
    ['are all when it is gone', undefined, ['db', 'Cache']],
    ['are those of earlier destinations', 'db', ['Cache']],
    ['compare without regard to case', 'cache', ['db']],
  ])('%s', (_, wanted, expected) => {
    expect(names(wanted)).toEqual(expected);
  });
});
