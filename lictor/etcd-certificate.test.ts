import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FakeClock } from '../core/clock.ts';
import { createLogger, silentLogger } from '../core/log.ts';
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
/** And what it says. */
function saying(ms: number): { certificate: EtcdCertificate; clock: FakeClock; said: () => string[] } {
  const clock = new FakeClock(ms);
  const lines: string[] = [];
  const log = createLogger({ level: 'warn', sink: { write: (line) => lines.push(line) } });
  const said = (): string[] => lines.map((line) => (JSON.parse(line) as { text: string }).text);
  return { certificate: new EtcdCertificate({ clock, log }, config), clock, said };
}

it('says what is wrong with the time of a certificate, with its file and what to do', async () => {
  give(await authority.issue());
  const now = Date.now();
  const [long, soon] = [saying(now - DAY_MS * 5), saying(now)];
  for (const { certificate } of [long, soon]) certificate.look();
  expect([long.certificate.problem, soon.certificate.problem]).toEqual([undefined, undefined]);
  expect(long.said()).toEqual([]);
  expect(soon.said()).toEqual([
    expect.stringMatching(/cert\.pem expires at .*: replace .*cert\.pem and .*key\.pem, then reload/),
  ]);
  expect(certificateAt(now + DAY_MS * 2).problem).toMatch(/cert\.pem expired at .*etcd refuses it: replace/);
  expect(certificateAt(now - DAY_MS * 20).problem).toMatch(
    /cert\.pem counts from .*etcd refuses it: set the clock, or replace/,
  );
});

it('says so at the moment at which a certificate expires, also of one that was read meanwhile', async () => {
  const now = Date.now();
  give(await authority.issue());
  const { certificate, clock, said } = saying(now - DAY_MS * 5);
  const stop = new AbortController();
  const running = certificate.run({ signal: stop.signal, ready: () => {} });
  give(await authority.issue({ notAfterMs: now - DAY_MS * 5 + 600_000 }));
  certificate.prepare(() => {})();
  await clock.advance(590_000);
  expect(said().filter((text) => text.includes('expired'))).toEqual([]);
  await clock.advance(11_000);
  expect(said().at(-1)).toMatch(/cert\.pem expired at /);
  stop.abort();
  await running;
});

it('names the authorities of a file when none of them counts', async () => {
  give(await authority.issue({ notAfterMs: Date.now() + 10 * DAY_MS }));
  const other = await TestAuthority.make('other');
  writeFileSync(caFile, Buffer.concat([authority.ca, other.ca]));
  const now = Date.now();
  expect(certificateAt(now).problem).toBeUndefined();
  expect(certificateAt(now + 2 * DAY_MS).problem).toMatch(
    /etcd\.ca_file: what is in .*ca\.pem counts from .* to .* and from .* to .*: set the clock, or replace .*ca\.pem/,
  );
  writeFileSync(caFile, authority.ca);
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
