import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runForTest } from '../test/support/command-run.ts';
import { tlsCommand } from './tls.ts';

const before = process.cwd();
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lictor-tls-'));
  process.chdir(dir);
});
afterEach(() => {
  process.chdir(before);
  rmSync(dir, { recursive: true });
});

describe('lictor tls', () => {
  it('makes an authority and certificates that openssl verifies, in Consul’s files', async () => {
    await runForTest(tlsCommand, ['ca', 'create']);
    await runForTest(tlsCommand, ['cert', 'create', '-server', '-node', 's1']);
    await runForTest(tlsCommand, ['cert', 'create', '-server']);
    const verify = ['verify', '-CAfile', 'consul-agent-ca.pem', 'dc1-server-consul-0.pem'];
    expect(execFileSync('openssl', verify).toString()).toContain('OK');
    const text = execFileSync('openssl', ['x509', '-noout', '-text', '-in', 'dc1-server-consul-0.pem']).toString();
    expect(text).toContain('DNS:s1.server.dc1.consul, DNS:server.dc1.consul, DNS:localhost, IP Address:127.0.0.1');
    expect(existsSync('dc1-server-consul-1.pem')).toBe(true);
    expect(statSync('consul-agent-ca-key.pem').mode & 0o077).toBe(0);
  });

  it('makes an authority for some names alone', async () => {
    const added = Array.from({ length: 12 }, (_, at) => `-additional-name-constraint=name-${at}.example.com`);
    await runForTest(tlsCommand, ['ca', 'create', '-name-constraint', ...added]);
    const text = execFileSync('openssl', ['x509', '-noout', '-text', '-in', 'consul-agent-ca.pem']).toString();
    expect(text).toMatch(
      /X509v3 Name Constraints: critical\s+Permitted:\s+DNS:name-0\.example\.com\s+(?:DNS:name-\d+\.example\.com\s+){11}DNS:consul\s+DNS:localhost\n/,
    );
    const verified = async (name: string, file: string) => {
      await runForTest(tlsCommand, ['cert', 'create', '-server', `-additional-dnsname=${name}`]);
      const { status, stderr } = spawnSync('openssl', ['verify', '-CAfile', 'consul-agent-ca.pem', file]);
      return status === 0 ? 'OK' : String(stderr);
    };
    expect(await verified('a.name-3.example.com', 'dc1-server-consul-0.pem')).toBe('OK');
    expect(await verified('other.example.com', 'dc1-server-consul-1.pem')).toContain('permitted subtree violation');
  });

  it.each([
    [['-additional-name-constraint=a'], /needs -name-constraint/],
    [['-name-constraint', '-additional-name-constraint=a b'], /a b is no DNS name/],
  ])('refuses %j', async (flags, message) => {
    await expect(runForTest(tlsCommand, ['ca', 'create', ...flags])).rejects.toThrow(message);
    expect(existsSync('consul-agent-ca.pem')).toBe(false);
  });

  it('makes no authority over another one', async () => {
    await runForTest(tlsCommand, ['ca', 'create']);
    const first = readFileSync('consul-agent-ca.pem', 'utf8');
    await runForTest(tlsCommand, ['ca', 'create']).catch(() => {});
    expect(readFileSync('consul-agent-ca.pem', 'utf8')).toBe(first);
  });
});
