import type { AgentConfig } from '../agent/config.ts';
import { HttpMeshAuthority } from '../agent/connect/http-mesh-authority.ts';
import { HttpServerCatalog } from '../agent/server-pool/http-server-catalog.ts';
import { ServerPool, type ServerPoolDeps } from '../agent/server-pool/server-pool.ts';
import type { ClientTls } from '../api/http/client-tls.ts';
import { hostPort } from '../core/host-port.ts';
import { runnable } from '../core/lifecycle.ts';
import type { OwnServers } from './server-agent.ts';

const LOOPBACK: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/** The servers through the own servers' port, which hands on to whichever leads. */
export function throughOwnPort(
  { bindAddress, ports }: AgentConfig,
  deps: ServerPoolDeps,
  tls: (() => ClientTls) | undefined,
): OwnServers {
  const host = LOOPBACK[bindAddress] ?? bindAddress;
  const pool = new ServerPool(
    { ...deps, log: deps.log.child({ part: 'own-server' }) },
    { servers: [hostPort(host, ports.server)], tls },
  );
  return {
    catalog: new HttpServerCatalog({ pool }),
    authority: new HttpMeshAuthority({ pool }),
    members: [runnable('own-server-connections', async () => () => pool.close())],
  };
}
