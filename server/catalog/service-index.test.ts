import { instanceRecord } from '../../test/support/instance-record.ts';
import { EntryContext, InstanceEntry, NodeEntry } from './entries.ts';
import { ServiceIndex } from './service-index.ts';

describe('the services of all namespaces', () => {
  const context = new EntryContext(0);
  const node = new NodeEntry('n');
  const instance = (namespace: string, id: string, createRevision: number): InstanceEntry => {
    const record = instanceRecord(id, { namespace, service: id });
    const stored = { record, createRevision, modRevision: createRevision };
    return new InstanceEntry({ node, key: `${namespace}/${id}`, id }, stored, context);
  };

  it('keep nothing of a namespace whose last service has gone', () => {
    const index = new ServiceIndex();
    const [web, db, other] = [instance('a', 'web', 7), instance('a', 'db', 5), instance('b', 'web', 9)];
    for (const entry of [web, db, other]) index.add(entry);
    index.remove(db);
    expect([index.since('a'), index.since('b')]).toEqual([5, 9]);
    index.remove(web);
    expect([[...index.namespaces()], index.since('a'), index.since('b')]).toEqual([['b'], undefined, 9]);
  });
});
