import type { KubeAuth, KubeCredentials } from './kube-auth.ts';

/** An API server that needs no credential (a proxy on loopback), or one that never changes. */
export function staticAuth(server: string, headers: Readonly<Record<string, string>> = {}): KubeAuth {
  const credentials: KubeCredentials = { server, headers, tls: {} };
  return { credentials: () => Promise.resolve(credentials) };
}
