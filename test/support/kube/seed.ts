import { randomUUID } from 'node:crypto';
import { etcdUrl } from './control-plane.ts';
import type { OwnKube } from './start-kube.ts';

/** One object to put straight into etcd. */
export interface SeedObject {
  /** Path below etcd's prefix `/registry/`, e.g. `pods/shop/web-1`. */
  readonly key: string;
  /** The whole object; uid and creationTimestamp are added. */
  readonly object: { readonly metadata: Record<string, unknown>; readonly [field: string]: unknown };
}

/** etcd's default limit of operations in one transaction. */
const OPS_PER_TXN = 128;

/**
 * Puts many objects into etcd at once, as an API server would find them after a restart: thousands a second, where the
 * API takes two calls for each pod. The API server reads JSON as well as its own binary form and sees them by its watch.
 * Nothing validates them.
 */
export async function seedEtcd(kube: OwnKube, objects: readonly SeedObject[]): Promise<void> {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const creationTimestamp = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const puts = objects.map(({ key, object }) => {
    const value = { ...object, metadata: { uid: randomUUID(), creationTimestamp, ...object.metadata } };
    return { request_put: { key: base64(`/registry/${key}`), value: base64(JSON.stringify(value)) } };
  });
  const url = `${etcdUrl(kube.place)}/v3/kv/txn`;
  for (let at = 0; at < puts.length; at += OPS_PER_TXN) {
    const body = JSON.stringify({ success: puts.slice(at, at + OPS_PER_TXN) });
    const response = await fetch(url, { method: 'POST', body, signal: AbortSignal.timeout(30_000) });
    if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
    await response.body?.cancel();
  }
}

/** A running, ready pod on a node, with one port named `http`. */
export function seedPod(spec: {
  namespace: string;
  name: string;
  labels: Record<string, string>;
  nodeName: string;
  ip: string;
}): SeedObject {
  const { namespace, name, labels, nodeName, ip } = spec;
  const at = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const container = {
    name: 'main',
    image: 'example.org/web:1',
    ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
  };
  return {
    key: `pods/${namespace}/${name}`,
    object: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace, name, labels },
      spec: { nodeName, restartPolicy: 'Always', containers: [container] },
      status: {
        phase: 'Running',
        podIP: ip,
        podIPs: [{ ip }],
        hostIP: '127.0.0.1',
        startTime: at,
        conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({
          type,
          status: 'True',
          lastTransitionTime: at,
        })),
      },
    },
  };
}
