import { AppError } from '../../core/errors.ts';

/** Who a certificate speaks for (Consul documentation, "Service mesh certificate authority"). */
export type SpiffeId =
  | { readonly kind: 'service'; readonly namespace: string; readonly datacenter: string; readonly service: string }
  | { readonly kind: 'agent'; readonly datacenter: string; readonly node: string }
  | { readonly kind: 'server'; readonly datacenter: string }
  | { readonly kind: 'mesh-gateway'; readonly datacenter: string };

/** An identity and the trust domain that vouches for it. */
export interface SpiffeUri {
  readonly trustDomain: string;
  readonly id: SpiffeId;
}

const MAX_LENGTH = 2_048;
const URI = /^spiffe:\/\/([a-z0-9](?:[a-z0-9.-]{0,253}[a-z0-9])?)(\/[^?#\s]+)$/i;
/** The leading partition is Enterprise's; its default one is the same as none. */
const PARTITION = /^\/ap\/default(?=\/)/;

const FORMS: readonly { readonly form: RegExp; readonly make: (parts: readonly string[]) => SpiffeId }[] = [
  {
    form: /^\/ns\/([^/]+)\/dc\/([^/]+)\/svc\/([^/]+)$/,
    make: ([namespace, datacenter, service]) => ({
      kind: 'service',
      namespace: namespace!,
      datacenter: datacenter!,
      service: service!,
    }),
  },
  {
    form: /^\/agent\/client\/dc\/([^/]+)\/id\/([^/]+)$/,
    make: ([datacenter, node]) => ({ kind: 'agent', datacenter: datacenter!, node: node! }),
  },
  { form: /^\/agent\/server\/dc\/([^/]+)$/, make: ([datacenter]) => ({ kind: 'server', datacenter: datacenter! }) },
  {
    form: /^\/gateway\/mesh\/dc\/([^/]+)$/,
    make: ([datacenter]) => ({ kind: 'mesh-gateway', datacenter: datacenter! }),
  },
];

/** Reads an identity; undefined for every other text. */
export function parseSpiffeUri(text: string): SpiffeUri | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const [, host, rawPath] = URI.exec(text) ?? [];
  if (host === undefined || rawPath === undefined) return undefined;
  const path = rawPath.replace(PARTITION, '');
  for (const { form, make } of FORMS) {
    const found = form.exec(path);
    if (!found) continue;
    const parts = found.slice(1).map(decoded);
    // A slash, a space or a control character within a part would make another identity of it elsewhere.
    if (parts.some((part) => part === undefined || /[/\s\p{Cc}]/u.test(part))) return undefined;
    return { trustDomain: host.toLowerCase(), id: make(parts as string[]) };
  }
  return undefined;
}

/** @throws AppError `badRequest` for a name that no identity can hold. */
export function spiffeUri(trustDomain: string, id: SpiffeId): string {
  const uri = `spiffe://${trustDomain}${pathOf(id)}`;
  if (!parseSpiffeUri(uri)) {
    const name = id.kind === 'service' ? id.service : id.kind === 'agent' ? id.node : id.datacenter;
    throw new AppError('badRequest', `${JSON.stringify(name)} cannot be the name in a certificate`);
  }
  return uri;
}

function pathOf(id: SpiffeId): string {
  const dc = `dc/${encodeURIComponent(id.datacenter)}`;
  switch (id.kind) {
    case 'service':
      return `/ns/${encodeURIComponent(id.namespace)}/${dc}/svc/${encodeURIComponent(id.service)}`;
    case 'agent':
      return `/agent/client/${dc}/id/${encodeURIComponent(id.node)}`;
    case 'server':
      return `/agent/server/${dc}`;
    case 'mesh-gateway':
      return `/gateway/mesh/${dc}`;
  }
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
