import { hash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { LICTOR_API_VERSION } from '../../crds/manifests/kind-schema.ts';
import type { KubeObject } from '../kube-api/kube-api.ts';
import { keyOf } from '../object-source.ts';

/** With what an API server would add. A changed spec raises the generation; status stays. */
export function withServerFields(
  object: KubeObject,
  old: (KubeObject & { spec?: unknown; status?: unknown }) | undefined,
): KubeObject {
  const { metadata, spec, status } = object as KubeObject & { spec?: unknown; status?: unknown };
  const generation = (old?.metadata.generation ?? 0) + (old && isDeepStrictEqual(old.spec, spec) ? 0 : 1);
  const uid = uuidOf(`${object.kind} ${keyOf(object)}`);
  const ours = object.apiVersion === LICTOR_API_VERSION;
  return {
    ...object,
    metadata: { ...metadata, uid, generation: ours ? generation : undefined },
    status: ours ? old?.status : status,
  } as KubeObject;
}

/** Whether two versions of an object say the same. */
export function sameContent(a: KubeObject, b: KubeObject): boolean {
  const plain = (object: KubeObject) => ({ ...object, metadata: { ...object.metadata, resourceVersion: '' } });
  return isDeepStrictEqual(plain(a), plain(b));
}

/** The same for the same name each time, so that a restart changes no instance id. */
function uuidOf(text: string): string {
  const hex = hash('sha256', text, 'hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
