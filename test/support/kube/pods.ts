import { randomBytes } from 'node:crypto';
import type { ApiClient } from './api-client.ts';

/** The parts of a pod that tests look at. */
export interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly labels?: Record<string, string>;
    readonly deletionTimestamp?: string;
  };
  readonly spec: { readonly nodeName?: string };
  readonly status: { readonly phase?: string; readonly podIP?: string; readonly conditions?: PodCondition[] };
}

interface PodCondition {
  type: string;
  status: 'True' | 'False';
  lastTransitionTime: string;
}

/** What to make. There is no kubelet: the pod runs nothing, its status says what the test writes. */
export interface PodSpec {
  readonly namespace: string;
  /** Default: `pod-` and random letters. */
  readonly name?: string;
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  /** The node it is bound to. Default: `node-1`. An empty text leaves it unscheduled and without an address. */
  readonly nodeName?: string;
  /** Default: a random address of 10.0.0.0/8. */
  readonly ip?: string;
  /** Container ports by name. Default: `http` on 8080. */
  readonly ports?: Record<string, number>;
  /** Whether it is made ready at once. Default: true. */
  readonly ready?: boolean;
}

/** What the server is asked through: the API client of a `Kube`. */
interface HasApi {
  readonly api: ApiClient;
}

function podPath(pod: Pod, sub = ''): string {
  return `/api/v1/namespaces/${pod.metadata.namespace}/pods/${pod.metadata.name}${sub}`;
}

function randomIp(): string {
  return `10.${[...randomBytes(3)].map((byte) => 1 + (byte % 250)).join('.')}`;
}

/** Creates a pod and writes the status that a kubelet would: running, with an address, ready or not. */
export async function createPod(kube: HasApi, spec: PodSpec): Promise<Pod> {
  const name = spec.name ?? `pod-${randomBytes(5).toString('hex')}`;
  const nodeName = spec.nodeName ?? 'node-1';
  const ports = Object.entries(spec.ports ?? { http: 8080 });
  const created = await kube.api.post<Pod>(`/api/v1/namespaces/${spec.namespace}/pods`, {
    metadata: { name, labels: spec.labels, annotations: spec.annotations },
    spec: {
      nodeName: nodeName === '' ? undefined : nodeName,
      containers: [
        { name: 'main', image: 'none', ports: ports.map(([port, containerPort]) => ({ name: port, containerPort })) },
      ],
    },
  });
  if (nodeName === '') return created;
  const podIP = spec.ip ?? randomIp();
  return writeStatus(kube, created, { podIP, ready: spec.ready ?? true });
}

function writeStatus(kube: HasApi, pod: Pod, status: { podIP: string; ready: boolean; phase?: string }): Promise<Pod> {
  const lastTransitionTime = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const condition = (type: string, is: boolean) => ({ type, status: is ? 'True' : 'False', lastTransitionTime });
  const phase = status.phase ?? 'Running';
  const conditions = [
    condition('PodScheduled', true),
    condition('Initialized', true),
    condition('ContainersReady', status.ready),
    condition('Ready', status.ready),
  ];
  const patch = {
    status: {
      phase,
      podIP: status.podIP,
      podIPs: [{ ip: status.podIP }],
      hostIP: '127.0.0.1',
      startTime: lastTransitionTime,
      conditions,
      containerStatuses: [
        {
          name: 'main',
          image: 'none',
          imageID: 'none',
          ready: status.ready,
          restartCount: 0,
          started: true,
          state: { running: {} },
        },
      ],
    },
  };
  return kube.api.patch<Pod>(podPath(pod, '/status'), patch, 'merge');
}

/** Turns the Ready condition, as the kubelet does on a readiness probe's verdict. Returns the pod as it is now. */
export async function setPodReady(kube: HasApi, pod: Pod, ready: boolean): Promise<Pod> {
  const now = await kube.api.get<Pod>(podPath(pod));
  if (!now.status.podIP) throw new Error(`pod ${pod.metadata.name} has no address yet`);
  return writeStatus(kube, now, { podIP: now.status.podIP, ready });
}

/** Ends the pod's containers for good: phase Succeeded or Failed, not ready. */
export async function setPodPhase(kube: HasApi, pod: Pod, phase: 'Succeeded' | 'Failed'): Promise<Pod> {
  const now = await kube.api.get<Pod>(podPath(pod));
  return writeStatus(kube, now, { podIP: now.status.podIP ?? randomIp(), ready: false, phase });
}

/** Changes labels; null removes one. */
export function labelPod(kube: HasApi, pod: Pod, labels: Record<string, string | null>): Promise<Pod> {
  return kube.api.patch<Pod>(podPath(pod), { metadata: { labels } });
}

/** Removes the pod at once (grace 0), as a kubelet's last word or `kubectl delete --force` does. */
export async function deletePod(kube: HasApi, pod: Pod): Promise<void> {
  await kube.api.delete(podPath(pod), { graceSeconds: 0 });
}

/** Asks for deletion with a grace period: the pod stays, terminating, until `deletePod`. */
export async function terminatePod(kube: HasApi, pod: Pod, graceSeconds = 30): Promise<void> {
  await kube.api.delete(podPath(pod), { graceSeconds });
}

/** Whether an object is still there. */
export async function exists(kube: HasApi, path: string): Promise<boolean> {
  const answer = await kube.api.call('GET', path);
  if (answer.status !== 200 && answer.status !== 404) throw new Error(`GET ${path}: ${answer.status}`);
  return answer.status === 200;
}
