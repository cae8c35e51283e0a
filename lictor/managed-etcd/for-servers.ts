import type { Route } from '../../api/http/route.ts';
import { AppError } from '../../core/errors.ts';

/**
 * The routes for callers alone that show a certificate for this name: at the servers' port agents have certificates of
 * the same authorities. For everybody while `nameOf` gives none.
 */
export function forServers(routes: readonly Route[], nameOf: () => string | undefined): readonly Route[] {
  return routes.map((route) => ({
    ...route,
    handle: (request) => {
      const name = nameOf();
      if (name === undefined || request.clientCertificate?.checkHost(name) !== undefined) return route.handle(request);
      throw new AppError(
        'permissionDenied',
        `servers alone may ask this, with a certificate for ${name}: give this server one in tls.internal_rpc.cert_file`,
      );
    },
  }));
}
