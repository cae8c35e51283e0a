import { CaTable, caRest, type RootRecord } from './ca-table.ts';

const ROOT: RootRecord = {
  id: 'aa:bb',
  name: 'root',
  serial: 7,
  keyId: 'cc:dd',
  pem: 'a certificate',
  intermediates: [],
  key: { type: 'ec', bits: 256 },
  notBeforeMs: 1,
  notAfterMs: 2,
  rotatedOutMs: 3,
  longestLeafMs: 4,
};
const check = (record: object) => {
  const value = Buffer.from(JSON.stringify(record));
  new CaTable().check(caRest.root(ROOT.id), { key: 'k', value, createRevision: 1, modRevision: 1 });
};

describe('a stored root', () => {
  it('need not have been rotated out', () => {
    const { rotatedOutMs: _rotatedOutMs, longestLeafMs: _longestLeafMs, ...active } = ROOT;
    for (const record of [ROOT, active]) expect(() => check(record)).not.toThrow();
  });

  it.each(['notAfterMs', 'rotatedOutMs', 'longestLeafMs'])('is refused where its %s is no number', (field) => {
    expect(() => check({ ...ROOT, [field]: 'x' })).toThrow(
      expect.objectContaining({
        code: 'storeCorrupt',
        message: `the entry k cannot be read: ${field} must be a number`,
      }),
    );
  });
});
