import type {
  HttpMatch,
  HttpMatcher,
  IntentionPermission,
  JwtRequirement,
} from '../../../api/shapes/config-entry/entry.ts';
import type {
  Intention,
  IntentionSpecJwt,
  IntentionSpecSource,
  IntentionSpecSourcePermission,
  IntentionSpecSourcePermissionHttp,
  IntentionSpecSourcePermissionHttpHeader,
} from '../../../crds/types/index.ts';
import type { EntrySource, IntentionEntry } from '../../intention-client/intention-client.ts';
import { entryDigest } from '../../intention-mirror/entry-digest.ts';
import { META } from '../../intention-mirror/entry-meta.ts';
import { keyOf } from '../../object-source.ts';
import { intentionRef } from '../identity.ts';

/** What the servers should hold for one Intention. */
export interface PlannedEntry {
  readonly entry: IntentionEntry;
  /** See `entryDigest`. */
  readonly digest: string;
}

/** The service-intentions entry of an Intention, which `owner` writes. */
export function planIntention(intention: Intention, owner: string): PlannedEntry {
  const { spec, metadata } = intention;
  const entry: IntentionEntry = {
    Kind: 'service-intentions',
    Name: spec.destination.service,
    Meta: {
      [META.owner]: owner,
      [META.ref]: intentionRef(keyOf(intention)),
      ...(metadata.uid === undefined ? {} : { [META.uid]: metadata.uid }),
    },
    Sources: spec.sources.map(sourceOf),
    ...(spec.jwt && { JWT: jwtOf(spec.jwt) }),
  };
  return { entry, digest: entryDigest(entry) };
}

function sourceOf(source: IntentionSpecSource): EntrySource {
  return {
    Name: source.service,
    ...(source.peer && { Peer: source.peer }),
    Type: 'consul',
    ...(source.action && { Action: source.action }),
    ...(source.description && { Description: source.description }),
    ...(source.permissions && { Permissions: source.permissions.map(permissionOf) }),
  };
}

function permissionOf({ action, http, jwt }: IntentionSpecSourcePermission): IntentionPermission {
  return { Action: action, ...(http && { HTTP: matchOf(http) }), ...(jwt && { JWT: jwtOf(jwt) }) };
}

function matchOf(http: IntentionSpecSourcePermissionHttp): HttpMatch {
  return {
    ...(http.pathExact && { PathExact: http.pathExact }),
    ...(http.pathPrefix && { PathPrefix: http.pathPrefix }),
    ...(http.pathRegex && { PathRegex: http.pathRegex }),
    ...(http.header && { Header: http.header.map(matcherOf) }),
    ...(http.methods && { Methods: http.methods }),
  };
}

function matcherOf(header: IntentionSpecSourcePermissionHttpHeader): HttpMatcher {
  return {
    Name: header.name,
    ...(header.present && { Present: true }),
    ...(header.exact && { Exact: header.exact }),
    ...(header.prefix && { Prefix: header.prefix }),
    ...(header.suffix && { Suffix: header.suffix }),
    ...(header.contains && { Contains: header.contains }),
    ...(header.regex && { Regex: header.regex }),
    ...(header.invert && { Invert: true }),
    ...(header.ignoreCase && { IgnoreCase: true }),
  };
}

function jwtOf({ providers }: IntentionSpecJwt): JwtRequirement {
  return {
    Providers: providers.map(({ name, verifyClaims }) => ({
      Name: name,
      ...(verifyClaims && { VerifyClaims: verifyClaims.map(({ path, value }) => ({ Path: path, Value: value })) }),
    })),
  };
}
