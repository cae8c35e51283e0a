import type { Authorization, AuthorizeRequest } from '../../api/shapes/connect.ts';
import { parseSpiffeUri } from '../../api/shapes/spiffe.ts';
import { AppError } from '../../core/errors.ts';

/** One intention as a decision needs it. */
export interface IntentionRule {
  readonly sourceNamespace: string;
  /** A name, or `*`. */
  readonly source: string;
  readonly destinationNamespace: string;
  readonly destination: string;
  /** undefined when permissions decide on requests. */
  readonly action: 'allow' | 'deny' | undefined;
  readonly permissions: number;
  readonly precedence: number;
}

/** Who may connect to whom. */
export interface Intentions {
  /** Those whose destination is this service or any, the highest precedence first. */
  to(namespace: string, service: string): readonly IntentionRule[];
}

export type DefaultIntentionPolicy = 'allow' | 'deny';

/**
 * Whether the holder of a certificate may connect to a service: the highest intention that fits decides. One with
 * permissions lets no bare connection through.
 * @throws AppError `badRequest` with Consul's text.
 */
export function authorize(
  request: AuthorizeRequest,
  intentions: Intentions,
  options: { namespace: string; defaultPolicy: DefaultIntentionPolicy },
): Authorization {
  if (request.Target === '') throw new AppError('badRequest', 'Target service must be specified');
  const uri = parseSpiffeUri(request.ClientCertURI);
  if (!uri) throw new AppError('badRequest', 'ClientCertURI not a valid Connect identifier');
  if (uri.id.kind !== 'service') throw new AppError('badRequest', 'ClientCertURI not a valid Service identifier');
  const { namespace, service } = uri.id;
  const fits = (rule: IntentionRule) =>
    // `*` is everybody: intentions are in one namespace, and a deny of all must not leave out the services of another.
    rule.source === '*' ||
    ((rule.sourceNamespace === '*' || same(rule.sourceNamespace, namespace)) && same(rule.source, service));
  const rule = intentions.to(options.namespace, request.Target).find(fits);
  if (!rule) {
    return { Authorized: options.defaultPolicy === 'allow', Reason: 'Default behavior configured by ACLs' };
  }
  return { Authorized: rule.action === 'allow', Reason: reason(rule) };
}

function reason(rule: IntentionRule): string {
  const layer = rule.action ? 'L4' : 'L7';
  const effect = rule.action ? `Action: ${rule.action.toUpperCase()}` : `Permissions: ${rule.permissions}`;
  const source = `${rule.sourceNamespace}/${rule.source}`;
  const destination = `${rule.destinationNamespace}/${rule.destination}`;
  return `Matched ${layer} intention: ${source} => ${destination} (Precedence: ${rule.precedence}, ${effect})`;
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
