import type { KubeObject } from '../kube-api/kube-api.ts';
import type { NamedNumber } from './pod.ts';

/** The label that names the core Service of an EndpointSlice. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

/** One endpoint of a slice; conditions as the EndpointSlice API defines their defaults. */
export interface EndpointView {
  readonly address: string;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  /** '' when not known. */
  readonly nodeName: string;
  /** UID and name of the pod behind it, when there is one. */
  readonly podUid?: string;
  readonly podName?: string;
}

/** What the operator keeps of an EndpointSlice. */
export interface SliceView extends KubeObject {
  readonly serviceName: string;
  /** IPv4, IPv6 or FQDN. */
  readonly addressType: string;
  readonly ports: readonly NamedNumber[];
  readonly endpoints: readonly EndpointView[];
}

interface RawSlice extends KubeObject {
  addressType?: string;
  ports?: { name?: string | null; port?: number | null }[] | null;
  endpoints?:
    | {
        addresses?: string[];
        conditions?: { ready?: boolean | null; serving?: boolean | null; terminating?: boolean | null };
        nodeName?: string | null;
        targetRef?: { kind?: string; name?: string; uid?: string };
      }[]
    | null;
}

/** The slice cut down to what is needed. */
export function stripSlice(object: KubeObject): SliceView {
  const { metadata, addressType, ports, endpoints } = object as RawSlice;
  return {
    metadata: {
      name: metadata.name,
      namespace: metadata.namespace ?? 'default',
      uid: metadata.uid,
      resourceVersion: metadata.resourceVersion,
      deletionTimestamp: metadata.deletionTimestamp,
    },
    serviceName: metadata.labels?.[SERVICE_NAME_LABEL] ?? '',
    addressType: addressType ?? 'IPv4',
    ports: (ports ?? []).flatMap(({ name, port }) => (port ? [{ name: name ?? '', port }] : [])),
    endpoints: (endpoints ?? []).flatMap(({ addresses, conditions, nodeName, targetRef }) => {
      const address = addresses?.[0]; // all addresses of an endpoint are the same backend (EndpointSlice API)
      if (!address) return [];
      // "A nil value should be interpreted as true" (ready); serving defaults to ready, terminating to false.
      const ready = conditions?.ready ?? true;
      const pod = targetRef?.kind === 'Pod' ? targetRef : undefined;
      return [
        {
          address,
          ready,
          serving: conditions?.serving ?? ready,
          terminating: conditions?.terminating ?? false,
          nodeName: nodeName ?? '',
          ...(pod?.uid ? { podUid: pod.uid, podName: pod.name } : {}),
        },
      ];
    }),
  };
}
