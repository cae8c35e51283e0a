import type { ApiClient } from './api-client.ts';

interface HasApi {
  readonly api: ApiClient;
}

/** One address of an EndpointSlice. */
export interface SliceEndpoint {
  readonly ip: string;
  readonly nodeName?: string;
  readonly ready?: boolean;
  readonly serving?: boolean;
  readonly terminating?: boolean;
  /** The pod behind it. */
  readonly pod?: { readonly name: string; readonly uid: string };
}

/** Creates a selectorless core Service (nothing fills its slices but `writeEndpointSlice`). */
export async function createCoreService(
  kube: HasApi,
  service: { namespace: string; name: string; ports: Record<string, number>; annotations?: Record<string, string> },
): Promise<void> {
  await kube.api.post(`/api/v1/namespaces/${service.namespace}/services`, {
    metadata: { name: service.name, annotations: service.annotations },
    spec: { ports: Object.entries(service.ports).map(([name, port]) => ({ name, port, targetPort: port })) },
  });
}

/** Creates or replaces one EndpointSlice of a core Service, as the endpoint slice controller would. */
export async function writeEndpointSlice(
  kube: HasApi,
  slice: {
    namespace: string;
    service: string;
    name?: string;
    ports: Record<string, number>;
    endpoints: SliceEndpoint[];
  },
): Promise<void> {
  const name = slice.name ?? `${slice.service}-1`;
  const { namespace } = slice;
  const body = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace, labels: { 'kubernetes.io/service-name': slice.service } },
    addressType: 'IPv4',
    ports: Object.entries(slice.ports).map(([port, number]) => ({ name: port, port: number, protocol: 'TCP' })),
    endpoints: slice.endpoints.map(({ ip, nodeName, ready = true, serving = ready, terminating = false, pod }) => ({
      addresses: [ip],
      nodeName,
      conditions: { ready, serving, terminating },
      targetRef: pod && { kind: 'Pod', namespace, ...pod },
    })),
  };
  const path = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices/${name}?fieldManager=test&force=true`;
  await kube.api.patch(path, body, 'apply');
}
