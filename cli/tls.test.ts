import { execFileSync } from 'node:child_process';
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

  it('makes no authority over another one', async () => {
    await runForTest(tlsCommand, ['ca', 'create']);
    const first = readFileSync('consul-agent-ca.pem', 'utf8');
    await runForTest(tlsCommand, ['ca', 'create']).catch(() => {});
    expect(readFileSync('consul-agent-ca.pem', 'utf8')).toBe(first);
  });
});
