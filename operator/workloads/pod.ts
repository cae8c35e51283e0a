import type { ObjectMeta } from '../../crds/kubernetes-meta.ts';
import type { KubeObject } from '../kube-api/kube-api.ts';
import { share } from './shared-text.ts';

/** A port with an optional name. */
export interface NamedNumber {
  readonly name: string;
  readonly port: number;
}

/** What the operator keeps of a pod. */
export interface PodView extends KubeObject {
  metadata: ObjectMeta;
  /** '' until the pod is bound to a node. */
  readonly nodeName: string;
  /** '' until the pod has an address. */
  readonly podIP: string;
  readonly hostIP: string;
  /** The condition Ready. */
  readonly ready: boolean;
  readonly phase: string;
  /** Container ports that have a name. */
  readonly ports: readonly NamedNumber[];
}

interface RawPod extends KubeObject {
  spec?: {
    nodeName?: string;
    containers?: { ports?: { name?: string; containerPort?: number; protocol?: string }[] }[];
  };
  status?: {
    podIP?: string;
    hostIP?: string;
    phase?: string;
    conditions?: { type?: string; status?: string }[];
  };
}

/** The pod cut down to what is needed, so that tens of thousands fit into memory. */
export function stripPod(object: KubeObject): PodView {
  const { metadata, spec, status } = object as RawPod;
  const ports: NamedNumber[] = [];
  for (const container of spec?.containers ?? []) {
    for (const { name, containerPort } of container.ports ?? []) {
      if (name && containerPort) ports.push({ name: share(name), port: containerPort });
    }
  }
  return {
    metadata: {
      name: metadata.name,
      namespace: share(metadata.namespace ?? 'default'),
      uid: metadata.uid,
      resourceVersion: metadata.resourceVersion,
      labels: sharedLabels(metadata.labels),
      deletionTimestamp: metadata.deletionTimestamp,
    },
    nodeName: share(spec?.nodeName ?? ''),
    podIP: status?.podIP ?? '',
    hostIP: share(status?.hostIP ?? ''),
    ready: status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false,
    phase: share(status?.phase ?? ''),
    ports: ports.length === 0 ? NO_PORTS : ports,
  };
}

const NO_PORTS: readonly NamedNumber[] = [];

function sharedLabels(labels: Record<string, string> | undefined): Record<string, string> | undefined {
  if (!labels) return undefined;
  const out: Record<string, string> = {};
  for (const name of Object.keys(labels)) out[share(name)] = share(labels[name]!);
  return out;
}

/** Whether a change of the pod can matter to anyone here. */
export function podDiffers(a: PodView, b: PodView): boolean {
  return (
    a.metadata.uid !== b.metadata.uid ||
    a.ready !== b.ready ||
    a.podIP !== b.podIP ||
    a.nodeName !== b.nodeName ||
    a.hostIP !== b.hostIP ||
    a.phase !== b.phase ||
    a.metadata.deletionTimestamp !== b.metadata.deletionTimestamp ||
    labelsDiffer(a.metadata.labels, b.metadata.labels) ||
    JSON.stringify(a.ports) !== JSON.stringify(b.ports)
  );
}

function labelsDiffer(a: Record<string, string> = {}, b: Record<string, string> = {}): boolean {
  const names = Object.keys(a);
  return names.length !== Object.keys(b).length || names.some((name) => a[name] !== b[name]);
}
