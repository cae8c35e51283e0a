import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Kube } from './kube.ts';

const RBAC = fileURLToPath(new URL('../../../operator/rbac.yaml', import.meta.url));
const NAMESPACE = 'lictor-system';

/** Who an operator is in tests: as in a cluster, with the rights of `operator/rbac.yaml` and no more. */
export interface OperatorRights {
  readonly token: string;
  /** The namespace of its ServiceAccount and of its Lease. */
  readonly namespace: string;
}

/** Applies `operator/rbac.yaml` and gets a token of its ServiceAccount, good for an hour. */
export async function grantOperatorRights(kube: Kube): Promise<OperatorRights> {
  await kube.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
  await kube.apply(readFileSync(RBAC, 'utf8'));
  const path = `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/lictor-operator/token`;
  const { status } = await kube.api.post<{ status: { token: string } }>(path, { spec: { expirationSeconds: 3600 } });
  return { token: status.token, namespace: NAMESPACE };
}
