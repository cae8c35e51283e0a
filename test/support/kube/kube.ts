import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from '../eventually.ts';
import { ApiClient } from './api-client.ts';
import type { KubeBinaries } from './binaries.ts';
import { apiserverUrl, type ControlPlanePlace, caFile } from './control-plane.ts';

/** How a run of kubectl ended. */
export interface KubectlResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

/** A real API server as a test sees it, whoever started it. */
export class Kube {
  readonly url: string;
  readonly token: string;
  readonly caFile: string;
  /** A kubeconfig of the cluster's administrator. */
  readonly kubeconfigPath: string;
  readonly api: ApiClient;
  readonly place: ControlPlanePlace;
  protected readonly binaries: KubeBinaries;

  constructor(binaries: KubeBinaries, place: ControlPlanePlace) {
    this.binaries = binaries;
    this.place = place;
    this.url = apiserverUrl(place);
    this.token = place.token;
    this.caFile = caFile(place);
    this.kubeconfigPath = join(place.folder, 'kubeconfig');
    this.api = new ApiClient({ url: this.url, token: place.token, ca: readFileSync(this.caFile, 'utf8') });
  }

  /** Runs kubectl as the administrator. A failure is a result, not an exception. */
  kubectl(args: readonly string[], options: { input?: string; timeoutMs?: number } = {}): Promise<KubectlResult> {
    const all = [
      `--kubeconfig=${this.kubeconfigPath}`,
      `--cache-dir=${join(this.place.folder, 'kubectl-cache')}`,
      ...args,
    ];
    return new Promise((resolve, reject) => {
      const timeout = options.timeoutMs ?? 60_000;
      const child = execFile(this.binaries.kubectl, all, { timeout, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
        if (error && typeof error.code !== 'number') reject(error);
        else resolve({ stdout, stderr, code: error ? Number(error.code) : 0 });
      });
      child.stdin?.end(options.input ?? '');
    });
  }

  /**
   * `kubectl apply` of YAML or JSON text.
   * @throws Error with what kubectl printed when it was refused.
   */
  async apply(manifest: string | object): Promise<string> {
    const input = typeof manifest === 'string' ? manifest : JSON.stringify(manifest);
    const result = await this.kubectl(['apply', '-f', '-'], { input });
    if (result.code !== 0) throw new Error(`kubectl apply: ${result.stderr}`);
    return result.stdout;
  }

  /** Applies `crds/*.yaml` of this project and waits until each is Established and served. */
  async installCrds(): Promise<void> {
    const folder = fileURLToPath(new URL('../../../crds', import.meta.url));
    const result = await this.kubectl(['apply', '-f', folder]);
    if (result.code !== 0) throw new Error(`kubectl apply -f crds/: ${result.stderr}`);
    await eventually(
      async () => {
        const list = await this.api.get<CrdList>('/apis/apiextensions.k8s.io/v1/customresourcedefinitions');
        const ours = list.items.filter((crd) => crd.spec.group === 'lictor.dev');
        for (const crd of ours) {
          const established = crd.status?.conditions?.some((c) => c.type === 'Established' && c.status === 'True');
          if (!established) return false;
          await this.api.get(`/apis/lictor.dev/${crd.spec.versions[0]!.name}/${crd.spec.names.plural}?limit=1`);
        }
        return ours.length > 0;
      },
      { withinMs: 30_000, everyMs: 50, what: 'the CRDs are established' },
    );
    // kubectl looks categories up in its cache of what is served, which is older than the CRDs.
    rmSync(join(this.place.folder, 'kubectl-cache'), { recursive: true, force: true });
  }

  /** Creates a namespace of its own for one test and returns its name. */
  async createNamespace(prefix: string, labels: Record<string, string> = {}): Promise<string> {
    const name = `${prefix}-${randomBytes(4).toString('hex')}`;
    await this.api.post('/api/v1/namespaces', { metadata: { name, labels } });
    return name;
  }

  /** Ends the use of it; a server that this test started is stopped. */
  async stop(): Promise<void> {
    this.api.close();
  }
}

interface CrdList {
  items: {
    spec: { group: string; names: { plural: string }; versions: { name: string }[] };
    status?: { conditions?: { type: string; status: string }[] };
  }[];
}
