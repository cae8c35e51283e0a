import { CURRENT_ETCD, describeEtcd, INSTALLED_ETCD } from '../../test/support/etcd/binaries.ts';
import { readEtcdProgram } from './etcd-program.ts';

describe('readEtcdProgram', () => {
  it.each([
    ['that is missing', '/nowhere/etcd', /ENOENT/],
    ['that is something else', process.execPath, /does not tell the version of an etcd/],
  ])('says how to get an etcd in the place of one %s', async (_, bin, why) => {
    const read = readEtcdProgram(bin);
    await expect(read).rejects.toThrow(why);
    await expect(read).rejects.toThrow(/^etcd.bin: .*apt-get install etcd-server.*-etcd-bin.*-etcd-endpoints/);
  });
});

for (const etcd of [INSTALLED_ETCD, CURRENT_ETCD]) {
  describeEtcd(etcd, `readEtcdProgram of ${etcd.name}`, (file) => {
    it('tells its version and flags, also those that only newer ones have', async () => {
      const { version, flags } = await readEtcdProgram(file);
      expect(version).toMatch(/^etcd Version: 3\.\d+/);
      for (const flag of ['--name', '--pre-vote', '--cipher-suites']) expect(flags).toContain(flag);
      if (etcd === CURRENT_ETCD) expect(flags).toContain('--tls-min-version');
    });
  });
}
