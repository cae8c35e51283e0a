import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { doesNotWait } from '../../api/http/route.ts';
import type { CaRoots } from '../../api/shapes/connect.ts';
import { FakeClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { SystemRandom } from '../../core/random.ts';
import { generateKeyPem } from '../../core/x509/keys.ts';
import { createSigningRequest } from '../../core/x509/signing-request.ts';
import { composeServer } from '../../server/composition.ts';
import type { Store } from '../../store/store.ts';
import { eventually } from './eventually.ts';

const stops: (() => Promise<void>)[] = [];

/** Stops what was started. */
export async function stopAuthorities(): Promise<void> {
  for (const stop of stops.splice(0)) await stop();
}

/** A server on a store whose authority is asked; the fake clock stands still. Ends with `stopAuthorities`. */
export async function startAuthority(
  store: Store,
  caConfig: Record<string, unknown> = {},
  caOnDemand = false,
  log = silentLogger,
) {
  const deps = {
    clock: new FakeClock(Date.UTC(2026, 0, 1)),
    random: new SystemRandom(),
    metrics: new Metrics(),
    log,
  };
  const composed = composeServer(
    {
      datacenter: 'dc1',
      nodeName: 'n1',
      nodeAddress: '127.0.0.1',
      nodeId: deps.random.uuid(),
      consulVersion: '1.21.4',
      spoolDir: tmpdir(),
      store,
      caConfig,
      caOnDemand,
    },
    deps,
  );
  const abort = new AbortController();
  const ended = composed.runnable.run({ signal: abort.signal, ready: () => {} });
  stops.push(() => {
    abort.abort();
    return ended.catch(() => {});
  });
  const { authority } = composed;
  const roots = () => authority.roots({ index: 0, waitMs: 0 }, abort.signal).then((answer) => answer.roots);
  const call = async (method: string, path: string, body: object) => {
    const route = composed.routes.find((one) => one.method === method && one.path === path)!;
    return route.handle({
      method,
      path,
      params: {},
      query: new URLSearchParams(),
      headers: {},
      body: Buffer.from(JSON.stringify(body)),
      remoteAddress: '',
      signal: abort.signal,
      hold: doesNotWait,
    });
  };
  const configure = (body: object) => call('PUT', '/v1/connect/ca/configuration', body);
  /** As `set-config` does with what `get-config` shows. */
  const configureUnchanged = async () => {
    const { json } = await call('GET', '/v1/connect/ca/configuration', {});
    const { Provider, Config } = json as { Provider: string; Config: object };
    return configure({ Provider, Config });
  };
  const { clock, metrics } = deps;
  return { authority, roots, configure, configureUnchanged, ended, clock, metrics };
}

/** What `read` gives once it does not throw. */
export function once<T>(read: () => Promise<T>): Promise<T> {
  return eventually(read, { withinMs: 20_000, everyMs: 5 });
}

/** The roots when another one than `before` is active. */
export function otherRoot(read: () => Promise<CaRoots>, before: string): Promise<CaRoots> {
  return once(async () => {
    const roots = await read();
    if (roots.ActiveRootID === before) throw new Error('not yet');
    return roots;
  });
}

/** A request for a certificate. */
export async function request(trustDomain: string, path = '/ns/default/dc/dc1/svc/web'): Promise<string> {
  return createSigningRequest(await generateKeyPem({ type: 'ec', bits: 256 }), `spiffe://${trustDomain}${path}`);
}

/** What openssl says of a leaf with its chain, for somebody who trusts this root. */
export function verified(leaf: string, root: string, atMs: number): string {
  const dir = mkdtempSync(join(tmpdir(), 'lictor-ca-'));
  try {
    writeFileSync(join(dir, 'leaf.pem'), leaf);
    writeFileSync(join(dir, 'root.pem'), root);
    const attime = String(Math.floor(atMs / 1000));
    const args = ['verify', '-attime', attime, '-CAfile', 'root.pem', '-untrusted', 'leaf.pem', 'leaf.pem'];
    return execFileSync('openssl', args, { cwd: dir }).toString();
  } finally {
    rmSync(dir, { recursive: true });
  }
}
