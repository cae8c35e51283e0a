import { AppError } from '../../core/errors.ts';
import { inDatacenter } from '../http/request-params.ts';
import { ERROR_CODE_HEADER } from '../http/respond.ts';
import type { Route, RouteResponse } from '../http/route.ts';
import {
  type Authorization,
  type AuthorizeRequest,
  type CaConfiguration,
  type CaConfigurationRequest,
  type CaRoots,
  CONNECT_DISABLED,
  decodeAuthorize,
  decodeCaConfiguration,
  decodeSign,
  type IssuedCertificate,
} from '../shapes/connect.ts';
import type { LiveRead } from './catalog-backend.ts';
import { type ReadRouteDeps, readRoute } from './read-route.ts';

/** The certificate authority of a cluster, as its endpoints ask it. */
export interface CaBackend {
  /** Resolves when the authority has a root; one that is made on demand begins with it. */
  ready(): Promise<void>;
  roots(): LiveRead<CaRoots>;
  configuration(): CaConfiguration;
  /** @throws AppError `badRequest` with Consul's text. */
  configure(request: CaConfigurationRequest): Promise<void>;
  /** @throws AppError `badRequest`, `rateLimited`. */
  sign(csr: string): Promise<IssuedCertificate>;
  /** Whether intentions let a certificate's holder connect. @throws AppError `badRequest`. */
  authorize(request: AuthorizeRequest): Authorization;
}

const PEM_CHAIN = 'application/pem-certificate-chain';

/**
 * /v1/connect/ca/… (Consul HTTP API, "Certificate authority"), and what agents ask the authority for
 * (/v1/internal/connect/…).
 */
export function caRoutes(deps: ReadRouteDeps, backend: CaBackend, options: { enabled: boolean }): Route[] {
  const routes: Route[] = [
    readRoute(deps, '/v1/connect/ca/roots', (_params, { query }) => {
      const live = backend.roots();
      // A file for other programs: without the headers of a read, as in Consul.
      if (/^(1|t|true)$/i.test(query.get('pem') ?? '')) return chain(live.run().value);
      return { key: 'connect-ca-roots', live, json: (roots) => roots };
    }),
    {
      method: 'GET',
      path: '/v1/connect/ca/configuration',
      handle: inDatacenter(deps, () => ({ json: backend.configuration() })),
    },
    {
      method: 'PUT',
      path: '/v1/connect/ca/configuration',
      handle: inDatacenter(deps, async ({ body }) => configure(backend, decodeCaConfiguration(body))),
    },
    {
      method: 'PUT',
      path: '/v1/internal/connect/sign',
      handle: async ({ body }) => ({ json: await backend.sign(decodeSign(body)) }),
    },
    {
      method: 'PUT',
      path: '/v1/internal/connect/authorize',
      handle: ({ body }) => ({ json: backend.authorize(decodeAuthorize(body)) }),
    },
  ];
  return routes.map((route) => (options.enabled ? whenReady(backend, route) : whenDisabled(route)));
}

/** The same endpoint, which waits for the authority. */
export function whenReady(authority: Pick<CaBackend, 'ready'>, route: Route): Route {
  return {
    ...route,
    handle: async (request) => {
      await authority.ready();
      return route.handle(request);
    },
  };
}

/** The same endpoint where the mesh is switched off. */
export function whenDisabled(route: Route): Route {
  return { ...route, handle: () => ({ status: 500, text: CONNECT_DISABLED }) };
}

/** All roots one after the other, the active one first. */
function chain({ Roots }: CaRoots): RouteResponse {
  const ordered = [...Roots].sort((a, b) => Number(b.Active) - Number(a.Active));
  const pems = ordered.flatMap((root) => [root.RootCert, ...(root.IntermediateCerts ?? [])]);
  return { bytes: Buffer.from(pems.join('')), headers: { 'content-type': PEM_CHAIN } };
}

async function configure(backend: CaBackend, request: CaConfigurationRequest): Promise<RouteResponse> {
  try {
    await backend.configure(request);
    return { bytes: Buffer.alloc(0), headers: { 'content-type': 'application/json' } };
  } catch (error) {
    // Consul answers what its provider refuses with 500.
    if (!(error instanceof AppError) || error.code !== 'badRequest') throw error;
    return { status: 500, text: error.message, headers: { [ERROR_CODE_HEADER]: error.code } };
  }
}
