import type { FieldProblem } from './field-path.ts';
import { KIND_FILES, LICTOR_API_VERSION } from './kind-schema.ts';
import { nearestName } from './nearest-name.ts';

/**
 * The kinds that a folder of manifests may hold, by apiVersion. Beside ours, Pod, Service, EndpointSlice, Node and
 * Namespace are what `selector` and `kubernetesService` look things up in; the rest often lies in the same files and is
 * passed through without an effect.
 */
const ACCEPTED: Readonly<Record<string, readonly string[]>> = {
  [LICTOR_API_VERSION]: Object.keys(KIND_FILES),
  v1: ['Pod', 'Service', 'Node', 'Namespace', 'ConfigMap', 'Secret', 'ServiceAccount', 'PersistentVolumeClaim'],
  'discovery.k8s.io/v1': ['EndpointSlice'],
  'apps/v1': ['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet'],
  'batch/v1': ['Job', 'CronJob'],
  'networking.k8s.io/v1': ['Ingress', 'NetworkPolicy'],
};

const CLUSTER_SCOPED = new Set(['Node', 'Namespace']);

/** Whether objects of this kind live in a namespace. */
export function isNamespaced(kind: string): boolean {
  return !CLUSTER_SCOPED.has(kind);
}

/** What is wrong with apiVersion and kind, if anything. */
export function checkKind(apiVersion: unknown, kind: unknown): FieldProblem | undefined {
  if (typeof kind !== 'string' || kind === '') return { path: ['kind'], text: `is required; ${acceptedText()}` };
  const versions = Object.keys(ACCEPTED).filter((version) => ACCEPTED[version]!.includes(kind));
  if (typeof apiVersion !== 'string' || apiVersion === '') {
    const what = versions.length > 0 ? `for kind ${kind} it is ${versions.join(' or ')}` : acceptedText();
    return { path: ['apiVersion'], text: `is required; ${what}` };
  }
  if (versions.includes(apiVersion)) return undefined;
  if (versions.length > 0) {
    const text = `${JSON.stringify(apiVersion)} has no kind ${kind} here; it must be ${versions.join(' or ')}`;
    return { path: ['apiVersion'], text };
  }
  const nearest = nearestName(kind, Object.values(ACCEPTED).flat());
  const advice = nearest ? `did you mean ${nearest}? ${capitalise(acceptedText())}` : acceptedText();
  return { path: ['kind'], text: `${JSON.stringify(kind)} is not accepted; ${advice}` };
}

/** Ours, and that there are more: the whole list would hide the one that was meant. */
function acceptedText(): string {
  const ours = ACCEPTED[LICTOR_API_VERSION]!.join(', ');
  return `the accepted kinds are ${LICTOR_API_VERSION} ${ours}; Pod, EndpointSlice, Deployment and the like may lie beside them`;
}

function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
