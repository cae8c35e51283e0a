import { createHash } from 'node:crypto';
import type { AgentEntries } from '../../api/shapes/agent-sync.ts';
import { DEFAULT_NAMESPACE } from '../../api/shapes/catalog.ts';
import type { CheckRegistration, Registration } from '../../api/shapes/registration.ts';
import { canonicalJson } from '../local-state/canonical-json.ts';
import {
  declarationOf,
  type LocalCheck,
  type LocalService,
  localKey,
  serviceAsDeclared,
} from '../local-state/local-records.ts';

/** The record of this node as the agent writes it into the catalog. */
export interface NodeIdentity {
  readonly datacenter: string;
  readonly nodeName: string;
  readonly nodeId: string;
  readonly address: string;
  readonly taggedAddresses: Readonly<Record<string, string>>;
  readonly meta: Readonly<Record<string, string>>;
}

/** What the plan needs of the local state. */
export interface OwnedState {
  services(): LocalService[];
  serviceByKey(key: string): LocalService | undefined;
  checks(): Iterable<LocalCheck>;
  check(key: string): LocalCheck | undefined;
  checksOf(namespace: string, serviceId: string): LocalCheck[];
}

/**
 * One unit of syncing: a service with its checks (written in one transaction, so that it is never listed without them),
 * or one check. A check that went while its service stays is a unit of its own.
 */
export type SyncUnit = `service ${string}` | `check ${string}`;

/** What a unit asks of the catalog now. */
export type SyncAction =
  | { readonly kind: 'register'; readonly registration: Registration; readonly hash: string }
  | { readonly kind: 'deregister'; readonly namespace: string; readonly serviceId?: string; readonly checkId?: string };

/** What the catalog should be told about a unit, from the local state as it is now. */
export function syncAction(state: OwnedState, node: NodeIdentity, unit: SyncUnit): SyncAction {
  const space = unit.indexOf(' ');
  const key = unit.slice(space + 1);
  const slash = key.indexOf('/');
  const namespace = key.slice(0, slash);
  const id = key.slice(slash + 1);
  if (unit.startsWith('service ')) {
    const service = state.serviceByKey(key);
    if (!service) return { kind: 'deregister', namespace, serviceId: id };
    const checks = ownedChecksOf(state, service);
    const { ID, Meta, ...rest } = service.instance;
    return {
      kind: 'register',
      hash: serviceHash(service, checks),
      registration: {
        ...onNode(node),
        Service: { ...rest, ID, Meta: Meta ?? {}, ...inNamespace(namespace) },
        Checks: checks.map((check) => checkRegistration(check, node)),
        ...inNamespace(namespace),
      },
    };
  }
  const check = state.check(key);
  if (!check || check.origin === 'assigned') return { kind: 'deregister', namespace, checkId: id };
  return {
    kind: 'register',
    hash: checkHash(check),
    registration: { ...onNode(node), Check: checkRegistration(check, node), ...inNamespace(namespace) },
  };
}

/** The unit that writes a check of this agent. */
export function unitOfCheck(key: string, serviceKey: string | undefined): SyncUnit {
  return serviceKey === undefined ? `check ${key}` : `service ${serviceKey}`;
}

/** What a complete read of this agent's entries shows to differ from the local state. */
export interface SyncDifference {
  readonly units: Set<SyncUnit>;
  /** Keys of checks of which only the state half differs, and whether the status does or the output alone. */
  readonly verdicts: Map<string, { readonly statusDiffers: boolean }>;
}

/**
 * Whether the catalog has had the tags that are declared now, so that others which it shows were set since. `hash`: that of
 * its entry.
 */
export function hasHadTags(state: OwnedState, key: string, hash: string): boolean {
  // Who changes more than tags takes the digest away: nothing tells any more what had been declared.
  if (hash === '') return true;
  const service = state.serviceByKey(key);
  if (!service) return false;
  const [whole, tags] = serviceHash(service, ownedChecksOf(state, service)).split('-');
  const [writtenWhole, writtenTags] = hash.split('-');
  // Earlier versions have written the whole alone.
  return writtenTags === undefined ? writtenWhole === whole : writtenTags === tags;
}

export function differences(state: OwnedState, entries: AgentEntries): SyncDifference {
  const units = new Set<SyncUnit>();
  const verdicts: SyncDifference['verdicts'] = new Map();
  const services = new Map(entries.Services.map((entry) => [localKey(entry.Namespace, entry.ServiceID), entry]));
  const checks = new Map(entries.Checks.map((entry) => [localKey(entry.Namespace, entry.CheckID), entry]));
  const compareCheck = (check: LocalCheck, unit: SyncUnit, hash: string) => {
    const entry = checks.get(localKey(check.namespace, check.checkId));
    if (entry?.Hash !== hash) units.add(unit);
    else if (entry.Status !== check.status || entry.Output !== check.output) {
      verdicts.set(localKey(check.namespace, check.checkId), { statusDiffers: entry.Status !== check.status });
    }
  };
  for (const service of state.services()) {
    const key = localKey(service.namespace, service.instance.ID);
    const owned = ownedChecksOf(state, service);
    const hash = serviceHash(service, owned);
    if (services.get(key)?.Hash !== hash) units.add(`service ${key}`);
    for (const check of owned) compareCheck(check, `service ${key}`, hash);
  }
  for (const check of state.checks()) {
    if (check.origin !== 'assigned' && check.serviceId === '') {
      compareCheck(check, `check ${localKey(check.namespace, check.checkId)}`, checkHash(check));
    }
  }
  for (const key of services.keys()) if (!state.serviceByKey(key)) units.add(`service ${key}`);
  for (const key of checks.keys()) {
    const check = state.check(key);
    if (!check || check.origin === 'assigned') units.add(`check ${key}`);
  }
  return { units, verdicts };
}

/** The registration of the node itself. */
export function nodeRegistration(node: NodeIdentity): Registration {
  return { ...onNode(node), SkipNodeUpdate: false };
}

function onNode(node: NodeIdentity): Registration {
  return {
    Datacenter: node.datacenter,
    ID: node.nodeId,
    Node: node.nodeName,
    Address: node.address,
    TaggedAddresses: { ...node.taggedAddresses },
    NodeMeta: { ...node.meta },
    SkipNodeUpdate: true,
  };
}

function checkRegistration(check: LocalCheck, node: NodeIdentity): CheckRegistration {
  return {
    Node: node.nodeName,
    CheckID: check.checkId,
    Name: check.name,
    Status: check.status,
    Notes: check.notes,
    Output: check.output,
    ServiceID: check.serviceId,
    Type: check.type,
    Interval: check.interval,
    Timeout: check.timeout,
    // As Consul: what an agent runs by its own declaration is the agent's business and not shown in the catalog.
    Definition: {},
    ...inNamespace(check.namespace),
  };
}

function ownedChecksOf(state: OwnedState, service: LocalService): LocalCheck[] {
  return state.checksOf(service.namespace, service.instance.ID).filter((check) => check.origin !== 'assigned');
}

/** Of tags, those that are declared: tags that were taken over from the catalog are no reason to write. */
function serviceHash(service: LocalService, checks: readonly LocalCheck[]): string {
  const { instance } = serviceAsDeclared(service);
  const whole = digest({ instance, checks: checks.map(declared) });
  return instance.EnableTagOverride ? `${whole}-${tagsHash(instance.Tags)}` : whole;
}

/** Beside the whole: whether tags that others have set stay must not depend on what else is declared anew. */
function tagsHash(tags: readonly string[]): string {
  return digest(tags).slice(0, 16);
}

function checkHash(check: LocalCheck): string {
  return digest(declared(check));
}

/** What the catalog shows of a declaration; the rest may change without a write. */
function declared(check: LocalCheck): object {
  const { origin: _origin, definition: _definition, ...shown } = declarationOf(check);
  return shown;
}

function digest(value: object): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex').slice(0, 32);
}

function inNamespace(namespace: string): { Namespace?: string } {
  return namespace === DEFAULT_NAMESPACE ? {} : { Namespace: namespace };
}
