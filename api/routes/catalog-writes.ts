import { AppError } from '../../core/errors.ts';
import { assertSameNamespace, namespaceOf, unknownDatacenter } from '../http/request-params.ts';
import { ERROR_CODE_HEADER } from '../http/respond.ts';
import type { Route, RouteRequest, RouteResponse } from '../http/route.ts';
import { DEFAULT_NAMESPACE } from '../shapes/catalog.ts';
import { decodeDeregistration, decodeRegistration } from '../shapes/decode-registration.ts';
import type { Registration } from '../shapes/registration.ts';
import type { CatalogWrites } from './catalog-backend.ts';
import { writerOf } from './writer-headers.ts';

const WRITTEN: RouteResponse = {
  bytes: Buffer.from('true'),
  headers: { 'content-type': 'application/json' },
  shared: true,
};

/** PUT /v1/catalog/register and /v1/catalog/deregister (Consul HTTP API, "Catalog"), with owners in headers. */
export function catalogWriteRoutes(backend: CatalogWrites, options: { datacenter: string }): Route[] {
  return [
    {
      method: 'PUT',
      path: '/v1/catalog/register',
      handle: (request) => {
        const registration = decodeRegistration(request.body);
        assertSameNamespace(request, namespacesOf(registration));
        const writer = writerOf(request.headers);
        const replaceExistingChecks = request.query.has('replace-existing-checks');
        return written(request, options.datacenter, registration, (withNamespace) =>
          backend.register(withNamespace, writer, { replaceExistingChecks }),
        );
      },
    },
    {
      method: 'PUT',
      path: '/v1/catalog/deregister',
      handle: (request) => {
        const target = decodeDeregistration(request.body);
        assertSameNamespace(request, [target.Namespace]);
        const writer = writerOf(request.headers);
        return written(request, options.datacenter, target, (withNamespace) =>
          backend.deregister(withNamespace, writer),
        );
      },
    },
  ];
}

function namespacesOf({ Namespace, Service, Check, Checks = [] }: Registration): (string | undefined)[] {
  return [Namespace, Service?.Namespace, Check?.Namespace, ...Checks.map((check) => check.Namespace)];
}

/** `true`, or what Consul answers to a body that makes no sense: its text with status 500. */
async function written<T extends { Datacenter?: string; Namespace?: string }>(
  request: RouteRequest,
  datacenter: string,
  body: T,
  write: (body: T) => Promise<void>,
): Promise<RouteResponse> {
  if (body.Datacenter && body.Datacenter.toLowerCase() !== datacenter.toLowerCase()) return unknownDatacenter();
  const namespace = body.Namespace || namespaceOf(request);
  try {
    await write(namespace === DEFAULT_NAMESPACE ? body : { ...body, Namespace: namespace });
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'badRequest') throw error;
    return { status: 500, text: error.message, headers: { [ERROR_CODE_HEADER]: error.code } };
  }
  return WRITTEN;
}
