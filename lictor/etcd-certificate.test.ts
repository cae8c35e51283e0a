import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FakeClock } from '../core/clock.ts';
import { silentLogger } from '../core/log.ts';
import { type Pair, TestAuthority } from '../test/support/etcd/certificates.ts';
import { removeFolder, tempFolder } from '../test/support/processes/temp-folder.ts';
import { EtcdCertificate } from './etcd-certificate.ts';

const DAY_MS = 86_400_000;
const folder = tempFolder('etcd-certificate');
const [certFile, keyFile, caFile] = ['cert.pem', 'key.pem', 'ca.pem'].map((name) => join(folder, name)) as [
  string,
  string,
  string,
];
const config = {
  bin: 'etcd',
  clientPort: 2379,
  peerPort: 2380,
  endpoints: ['https://e:2379'],
  prefix: 'lictor/',
  caFile,
  certFile,
  keyFile,
  serverName: '',
};
let authority: TestAuthority;
beforeAll(async () => {
  authority = await TestAuthority.make('ours');
  writeFileSync(caFile, authority.ca);
});
afterAll(() => removeFolder(folder));

function give(pair: Pair): void {
  writeFileSync(certFile, pair.cert);
  writeFileSync(keyFile, pair.key);
}
const certificateAt = (ms: number) => new EtcdCertificate({ clock: new FakeClock(ms), log: silentLogger }, config);

it('says what is wrong with the time of a certificate, with its file and what to do', async () => {
  give(await authority.issue());
  const now = Date.now();
  expect(certificateAt(now - DAY_MS * 5).problem).toBeUndefined();
  expect(certificateAt(now).problem).toMatch(
    /cert\.pem expires at .*: replace .*cert\.pem and .*key\.pem, then reload/,
  );
  expect(certificateAt(now + DAY_MS * 2).problem).toMatch(/cert\.pem expired at .*etcd refuses it: replace/);
  expect(certificateAt(now - DAY_MS * 20).problem).toMatch(
    /cert\.pem counts from .*etcd refuses it: set the clock, or replace/,
  );
});

it('is used anew only when its files have changed, and not at all when they are wrong', async () => {
  give(await authority.issue());
  const certificate = certificateAt(Date.now());
  const used: unknown[] = [];
  certificate.prepare((tls) => used.push(tls))();
  expect(used).toEqual([]);
  const renewed = await authority.issue();
  writeFileSync(certFile, renewed.cert);
  expect(() => certificate.prepare(() => {})).toThrow(
    /etcd\.key_file: .*key\.pem is not the key of the certificate in .*cert\.pem/,
  );
  writeFileSync(keyFile, renewed.key);
  certificate.prepare((tls) => used.push(tls))();
  expect(used).toEqual([{ ca: authority.ca, ...renewed }]);
  expect(certificate.tls).toEqual(used[0]);
  writeFileSync(keyFile, 'nonsense');
  expect(() => certificate.prepare(() => {})).toThrow(/key\.pem holds no private key in PEM/);
  writeFileSync(caFile, 'nonsense');
  expect(() => certificate.prepare(() => {})).toThrow(/etcd\.ca_file: .*ca\.pem holds no certificate in PEM/);
});
