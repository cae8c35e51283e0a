import { generateKeyPem } from '../../core/x509/keys.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { prefixRange } from '../../store/store.ts';
import {
  once,
  otherRoot,
  request,
  startAuthority,
  stopAuthorities,
  verified,
} from '../../test/support/certificate-authority.ts';

afterEach(stopAuthorities);

describe('certificate authority', () => {
  it('begins with one root, and two servers of one store agree on it', async () => {
    const store = openMemoryStore();
    const [one, two] = await Promise.all([startAuthority(store), startAuthority(store)]);
    const [first, second] = await Promise.all([once(one.roots), once(two.roots)]);
    expect(first.Roots).toHaveLength(1);
    expect(second).toEqual(first);
  });

  it('has an active root within a second of a start, on an empty store and again on that one', async () => {
    const store = openMemoryStore();
    let first = '';
    for (let start = 0; start < 2; start++) {
      const from = performance.now();
      const { roots } = await startAuthority(store);
      const { ActiveRootID, Roots } = await once(roots);
      expect(Roots.map(({ Active }) => Active)).toEqual([true]);
      // A second is what is promised; ten times that, for machines that are busy.
      expect(performance.now() - from).toBeLessThan(10_000);
      if (start > 0) expect(ActiveRootID).toBe(first);
      first = ActiveRootID;
    }
  });

  it('ends the server where ca_config holds a key that cannot be used', async () => {
    const { ended } = await startAuthority(openMemoryStore(), { PrivateKey: 'x', RootCert: 'y' });
    await expect(ended).rejects.toMatchObject({
      code: 'config',
      message: expect.stringMatching(/^connect.ca_config: /),
    });
  });

  it('waits on demand until somebody asks, who then has a root at once', async () => {
    const store = openMemoryStore();
    const lazy = await startAuthority(store, {}, true);
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    const made = async () => (await store.read(prefixRange(''))).entries.some(({ key }) => key.includes('connect-ca'));
    expect(await made()).toBe(false);
    expect((await lazy.roots()).Roots).toHaveLength(1);
    expect(await made()).toBe(true);
  });

  it('takes the cluster id that is configured, and refuses one that is none', async () => {
    const cluster_id = '11111111-2222-3333-4444-555555555555';
    const { roots } = await startAuthority(openMemoryStore(), { cluster_id });
    expect((await once(roots)).TrustDomain).toBe(`${cluster_id}.consul`);
    const { ended } = await startAuthority(openMemoryStore(), { cluster_id: 'x' });
    await expect(ended).rejects.toThrow('cluster_id must be a UUID');
  });

  it('signs for its own identities only', async () => {
    const { authority, roots } = await startAuthority(openMemoryStore());
    const { TrustDomain } = await once(roots);
    expect(await authority.sign(await request(TrustDomain))).toMatchObject({
      ValidAfter: '2025-12-31T23:59:00Z',
      ValidBefore: '2026-01-04T00:00:00Z',
    });
    await expect(authority.sign(await request('other.consul'))).rejects.toThrow('trust domain');
    await expect(authority.sign(await request(TrustDomain, '/ns/default/dc/dc2/svc/web'))).rejects.toThrow(
      'datacenter',
    );
    await expect(authority.sign(await request(TrustDomain, '/svc/web'))).rejects.toThrow('no identity');
    await expect(authority.sign('x')).rejects.toThrow('must be one certificate request in PEM');
  });

  it('signs for the whole of the time also when its clock is behind that of the server that made the root', async () => {
    const { authority, roots, configure, clock } = await startAuthority(openMemoryStore());
    const csr = await request((await once(roots)).TrustDomain);
    await configure({ Provider: 'consul', Config: { LeafCertTTL: '1h' } });
    clock.jumpWall(-2 * 3_600_000);
    expect(await authority.sign(csr)).toMatchObject({
      ValidAfter: '2025-12-31T23:59:00Z',
      ValidBefore: '2026-01-01T00:59:00Z',
    });
  });

  it('signs no more than CSRMaxPerSecond', async () => {
    const { authority, roots, configure } = await startAuthority(openMemoryStore());
    const csr = await request((await once(roots)).TrustDomain);
    await configure({ Provider: 'consul', Config: { CSRMaxPerSecond: 2 } });
    const answers = await Promise.allSettled([1, 2, 3].map(() => authority.sign(csr)));
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
  });

  it('rotates to a root that the old one vouches for (openssl verify)', async () => {
    const { authority, roots, configure } = await startAuthority(openMemoryStore());
    const before = await once(roots);
    const answer = await configure({ Provider: 'consul', Config: { PrivateKeyType: 'rsa', PrivateKeyBits: 2048 } });
    expect(answer.status ?? 200).toBe(200);
    const after = await otherRoot(roots, before.ActiveRootID);
    expect(after.Roots.map(({ Active }) => Active)).toEqual([false, true]);
    expect(after.Roots[1]).toMatchObject({ PrivateKeyType: 'rsa', PrivateKeyBits: 2048 });
    const { CertPEM } = await authority.sign(await request(after.TrustDomain));
    for (const { RootCert } of after.Roots) {
      expect(verified(CertPEM, RootCert, Date.UTC(2026, 0, 1))).toContain('leaf.pem: OK');
    }
  });

  it('refuses what Consul refuses, in its words, and a private key never comes back', async () => {
    const { roots, configure, authority } = await startAuthority(openMemoryStore());
    await once(roots);
    const refused = async (Config: object) => (await configure({ Provider: 'consul', Config })).text;
    expect(await refused({ LeafCertTTL: '1s' })).toContain('must be greater or equal than 1h0m0s');
    expect(await refused({ RootCert: 'x' })).toContain('must provide a private key');
    expect(await refused({ PrivateKeyType: 'dsa' })).toContain('PrivateKeyType "dsa"');
    expect(await refused({ RootCertTTL: 1e300 })).toContain('RootCertTTL must be a duration');
    expect(await refused({ Nope: 1 })).toContain('unknown key "Nope"');
    const PrivateKey = await generateKeyPem({ type: 'ec', bits: 384 });
    expect(await refused({ PrivateKey })).toBeUndefined();
    const shown =
      JSON.stringify(await roots()) + (await authority.sign(await request((await roots()).TrustDomain))).CertPEM;
    expect(shown).not.toContain('PRIVATE');
  });
});
