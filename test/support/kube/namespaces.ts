import type { ApiClient } from './api-client.ts';

interface HasApi {
  readonly api: ApiClient;
}

interface ResourceList {
  resources: { name: string; namespaced: boolean; verbs: string[] }[];
}

/** Every namespaced resource that can be listed and deleted, as path prefixes before and behind the namespace. */
async function namespacedResources(api: ApiClient): Promise<{ base: string; resource: string }[]> {
  const groups = await api.get<{ groups: { versions: { groupVersion: string }[] }[] }>('/apis');
  const versions = groups.groups.map((group) => `/apis/${group.versions[0]!.groupVersion}`);
  const found: { base: string; resource: string }[] = [];
  for (const base of ['/api/v1', ...versions]) {
    // A group whose CRD is being removed answers 404.
    const answer = await api.call<ResourceList>('GET', base);
    if (answer.status !== 200) continue;
    for (const { name, namespaced, verbs } of answer.body.resources) {
      if (namespaced && !name.includes('/') && verbs.includes('list') && verbs.includes('delete')) {
        found.push({ base, resource: name });
      }
    }
  }
  return found;
}

/**
 * Deletes a namespace and does the namespace controller's part, which nothing does here: removes all that it holds,
 * waits until it is empty, then lifts the namespace's own finalizer. Object finalizers are left to their owners.
 * @throws Error naming what is left, and its finalizers, when it is not empty within the time.
 */
export async function deleteNamespace(kube: HasApi, name: string, options: { withinMs: number }): Promise<void> {
  const deadline = performance.now() + options.withinMs;
  const path = `/api/v1/namespaces/${name}`;
  if (!(await kube.api.delete(path))) return;
  for (;;) {
    const left = await emptyNamespace(kube.api, name);
    if (left.length === 0) break;
    if (performance.now() > deadline) throw new Error(`namespace ${name} still holds ${left.join(', ')}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const namespace = await kube.api.get<{ spec: { finalizers?: string[] } }>(path);
  await kube.api.put(`${path}/finalize`, { ...namespace, spec: { ...namespace.spec, finalizers: [] } });
}

/** Deletes everything in the namespace once and says what is still there. */
async function emptyNamespace(api: ApiClient, name: string): Promise<string[]> {
  const left: string[] = [];
  for (const { base, resource } of await namespacedResources(api)) {
    const path = `${base}/namespaces/${name}/${resource}`;
    const list = await api.call<{ items?: { metadata: { name: string; finalizers?: string[] } }[] }>('GET', path);
    const items = list.status === 200 ? (list.body.items ?? []) : [];
    for (const { metadata } of items) {
      await api.call('DELETE', `${path}/${metadata.name}`, { gracePeriodSeconds: 0 });
      if (await stillThere(api, `${path}/${metadata.name}`)) {
        left.push(`${resource}/${metadata.name} (finalizers: ${metadata.finalizers?.join(' ') || 'none'})`);
      }
    }
  }
  return left;
}

async function stillThere(api: ApiClient, path: string): Promise<boolean> {
  return (await api.call('GET', path)).status === 200;
}
