import { silentLogger } from '../../core/log.ts';
import { createRoot } from '../../core/x509/certificates.ts';
import { generateKeyPem, signingKeys } from '../../core/x509/keys.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import {
  once,
  otherRoot,
  request,
  startAuthority,
  stopAuthorities,
  verified,
} from '../../test/support/certificate-authority.ts';

afterEach(stopAuthorities);

const HOUR = 3_600_000;
const SHORT = { RootCertTTL: '100h', IntermediateCertTTL: '99h', LeafCertTTL: '1h' };

describe('certificate authority, as time goes by', () => {
  it('signs nothing under a root that has expired, says what to do, and that helps', async () => {
    const { authority, roots, clock, configureUnchanged } = await startAuthority(openMemoryStore(), SHORT);
    const { TrustDomain, ActiveRootID } = await once(roots);
    expect(await authority.sign(await request(TrustDomain))).toHaveProperty('CertPEM');
    clock.jumpWall(101 * HOUR);
    await expect(authority.sign(await request(TrustDomain))).rejects.toThrow(/has expired.*ca set-config/);
    expect((await configureUnchanged()).status ?? 200).toBe(200);
    const after = await otherRoot(roots, ActiveRootID);
    expect(after.Roots).toMatchObject([
      { ID: ActiveRootID, Active: false },
      // What a root that has expired says counts for nobody.
      { Active: true, IntermediateCerts: null, NotAfter: '2026-01-09T09:00:00Z' },
    ]);
    const { CertPEM } = await authority.sign(await request(after.TrustDomain));
    expect(verified(CertPEM, after.Roots[1]!.RootCert, clock.now())).toContain('leaf.pem: OK');
    await configureUnchanged();
    expect((await roots()).ActiveRootID).toBe(after.ActiveRootID);
  });

  it('replaces a root that ends soon, or counts later, when it is configured: the old one vouches for the new one', async () => {
    for (const jump of [91 * HOUR, -HOUR]) {
      const { authority, roots, clock, configureUnchanged } = await startAuthority(openMemoryStore(), SHORT);
      const before = await once(roots);
      await configureUnchanged();
      expect((await roots()).ActiveRootID).toBe(before.ActiveRootID);
      clock.jumpWall(jump);
      await configureUnchanged();
      const after = await otherRoot(roots, before.ActiveRootID);
      const { CertPEM } = await authority.sign(await request(after.TrustDomain));
      // The old one counts from a minute before it was made.
      const atMs = Math.max(clock.now(), Date.UTC(2026, 0, 1) - 30_000);
      for (const { RootCert } of after.Roots) expect(verified(CertPEM, RootCert, atMs)).toContain('leaf.pem: OK');
    }
  });

  it('hands out the word of an old root no longer than it counts', async () => {
    const { authority, roots, clock, configureUnchanged } = await startAuthority(openMemoryStore(), SHORT);
    const before = await once(roots);
    clock.jumpWall(91 * HOUR);
    await configureUnchanged();
    const { TrustDomain } = await otherRoot(roots, before.ActiveRootID);
    const certificates = async () =>
      (await authority.sign(await request(TrustDomain))).CertPEM.match(/BEGIN CERT/g)?.length;
    expect(await certificates()).toBe(2);
    clock.jumpWall(10 * HOUR);
    expect(await certificates()).toBe(1);
  });

  it('keeps a root that was given for as long as it counts, and takes no expired one', async () => {
    const { authority, roots, clock, configure, configureUnchanged } = await startAuthority(openMemoryStore(), SHORT);
    const first = await once(roots);
    const PrivateKey = await generateKeyPem({ type: 'ec', bits: 384 });
    const RootCert = await createRoot({
      keys: await signingKeys(PrivateKey),
      commonName: 'ours',
      names: {},
      serial: '1234',
      notBeforeMs: Date.UTC(2026, 0, 1),
      notAfterMs: Date.UTC(2026, 0, 1) + 100 * HOUR,
    });
    const given = { Provider: 'consul', Config: { ...SHORT, PrivateKey, RootCert } };
    expect((await configure(given)).status ?? 200).toBe(200);
    const { ActiveRootID, TrustDomain } = await otherRoot(roots, first.ActiveRootID);
    expect(await authority.sign(await request(TrustDomain))).toMatchObject({ RootID: ActiveRootID });
    clock.jumpWall(91 * HOUR);
    for (const again of [() => configure(given), configureUnchanged]) {
      expect((await again()).status ?? 200).toBe(200);
      expect((await roots()).ActiveRootID).toBe(ActiveRootID);
    }
    clock.jumpWall(10 * HOUR);
    for (const again of [() => configure(given), configureUnchanged]) {
      expect((await again()).text).toContain('RootCert has expired');
    }
    await configure({ Provider: 'consul', Config: SHORT });
    const { Roots } = await otherRoot(roots, ActiveRootID);
    expect(Roots.at(-1)).toMatchObject({ Active: true, PrivateKeyType: 'ec', PrivateKeyBits: 384 });
  });

  it('says at its start and once a day that its root has ended or will soon, and shows the time that is left', async () => {
    const said: string[] = [];
    const log = {
      ...silentLogger,
      child: () => log,
      warn: (_: string, facts = {}) => said.push(JSON.stringify(facts)),
    };
    const store = openMemoryStore();
    const { roots, clock, metrics } = await startAuthority(store, { RootCertTTL: '8760h' }, false, log);
    await once(roots);
    const seconds = async () => Number(/^lictor_ca_active_root_expiry_seconds (\S+)/m.exec(await metrics.text())![1]);
    expect(await seconds()).toBe(8760 * 3600);
    const about = () => said.filter((line) => line.includes('root certificate'));
    await clock.advance(2 * HOUR);
    expect(about()).toEqual([]);
    clock.jumpWall(8760 * HOUR - 3 * 24 * HOUR);
    await clock.advance(HOUR);
    expect(about()).toHaveLength(1);
    expect(about()[0]).toMatch(/ends at 2027-01-01T00:00:00Z: make another one with 'lictor connect ca set-config'/);
    for (let hour = 0; hour < 23; hour++) await clock.advance(HOUR);
    expect(about()).toHaveLength(1);
    await clock.advance(HOUR);
    expect(about()).toHaveLength(2);
    clock.jumpWall(2 * 24 * HOUR);
    await clock.advance(HOUR);
    expect(about()[2]).toMatch(/has expired at 2027-01-01T00:00:00Z/);
    expect(await seconds()).toBe(0);
  });

  it('shows an old root for as long as its certificates count, also when those that follow live shorter', async () => {
    const { roots, clock, configure } = await startAuthority(openMemoryStore());
    const before = await once(roots);
    await configure({ Provider: 'consul', Config: { LeafCertTTL: '1h' } });
    await configure({ Provider: 'consul', Config: { LeafCertTTL: '1h', PrivateKeyType: 'ec', PrivateKeyBits: 384 } });
    await otherRoot(roots, before.ActiveRootID);
    const shown = async () => (await roots()).Roots.map(({ Active }) => Active);
    clock.jumpWall(73 * HOUR);
    await clock.advance(HOUR);
    expect(await shown()).toEqual([false, true]);
    clock.jumpWall(72 * HOUR);
    await clock.advance(HOUR);
    await once(async () => expect(await shown()).toEqual([true]));
  });

  it('shows no time of a root that is not there', async () => {
    const { metrics } = await startAuthority(openMemoryStore(), {}, true);
    expect(await metrics.text()).toMatch(/^lictor_ca_active_root_expiry_seconds NaN/im);
  });
});
