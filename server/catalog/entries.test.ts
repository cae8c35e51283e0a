import { instanceRecord } from '../../test/support/instance-record.ts';
import { EntryContext, InstanceEntry, NodeEntry } from './entries.ts';

describe('joined instances', () => {
  const entries = (context: EntryContext, ids: readonly string[]) => {
    const node = new NodeEntry('n');
    return ids.map((id) => {
      const stored = { record: instanceRecord(id), createRevision: 1, modRevision: 2 };
      return new InstanceEntry({ node, key: `default/${id}`, id }, stored, context);
    });
  };

  it('are the same until they have changed', () => {
    const [one] = entries(new EntryContext(1), ['a']);
    const first = one!.health();
    expect(one!.health()).toBe(first);
    one!.invalidate();
    expect(one!.health()).not.toBe(first);
    expect(one!.health()).toEqual(first);
  });

  it('are kept for a bounded number of instances, the last that were made', () => {
    const [a, b, c] = entries(new EntryContext(1, 2), ['a', 'b', 'c']);
    const [ofA, ofB, ofC] = [a!.health(), b!.health(), c!.health()];
    expect(b!.health()).toBe(ofB);
    expect(c!.health()).toBe(ofC);
    expect(a!.health()).not.toBe(ofA);
    expect(a!.health()).toEqual(ofA);
  });
});
