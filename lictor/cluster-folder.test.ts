import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeFolder, tempFolder } from '../test/support/processes/temp-folder.ts';
import { assertNotOfCluster } from './cluster-folder.ts';

describe('the data folder of a single server', () => {
  let folder: string;
  beforeEach(() => {
    folder = tempFolder('cluster-folder');
  });
  afterEach(() => removeFolder(folder));

  it('is a new one or that of a single server', () => {
    assertNotOfCluster(join(folder, 'new'));
    assertNotOfCluster(folder);
    mkdirSync(join(folder, 'catalog'));
    assertNotOfCluster(folder);
  });

  it('is not that of a server of a cluster', () => {
    mkdirSync(join(folder, 'etcd'));
    expect(() => assertNotOfCluster(folder)).toThrow(/holds etcd.*-bootstrap-expect and -retry-join/);
  });

  it('is not that of a server that was alone before its cluster', () => {
    mkdirSync(join(folder, 'catalog'));
    mkdirSync(join(folder, 'etcd'));
    expect(() => assertNotOfCluster(folder)).toThrow(/-bootstrap-expect and -retry-join, or move etcd away to go on/);
  });

  it('is not that of a server on an etcd that is given', () => {
    writeFileSync(join(folder, 'etcd-store.json'), '{}');
    expect(() => assertNotOfCluster(folder)).toThrow(/holds etcd-store.json.*-etcd-endpoints/);
  });
});
