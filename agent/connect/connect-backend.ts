import type { AgentConnectBackend, KeptAnswer } from '../../api/routes/agent-connect-routes.ts';
import type { Authorization, AuthorizeRequest, CaRoots, LeafCertificate } from '../../api/shapes/connect.ts';
import type { SpiffeId } from '../../api/shapes/spiffe.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { LeafCertificates } from './leaf-certificates.ts';
import type { MeshAuthority } from './mesh-authority.ts';
import type { RootFollower } from './root-follower.ts';

export interface ConnectBackendDeps {
  readonly clock: Clock;
  readonly authority: Pick<MeshAuthority, 'authorize'>;
  readonly roots: RootFollower;
  readonly leaves: LeafCertificates;
}

/** The agent's own answers about the mesh. */
export class ConnectBackend implements AgentConnectBackend {
  readonly #deps: ConnectBackendDeps;
  readonly #datacenter: string;
  readonly watchRoots = (wake: () => void) => this.#deps.roots.onChange(wake);
  readonly rootsIndex = () => this.#deps.roots.known?.index ?? 0;

  constructor(deps: ConnectBackendDeps, options: { datacenter: string }) {
    this.#deps = deps;
    this.#datacenter = options.datacenter;
  }

  async roots(): Promise<KeptAnswer<CaRoots>> {
    const hit = this.#deps.roots.known !== undefined;
    const { roots, index, atMs } = await this.#deps.roots.get();
    return { value: roots, index, hit, ageMs: this.#deps.clock.monotonic() - atMs };
  }

  async leaf(namespace: string, service: string): Promise<KeptAnswer<LeafCertificate>> {
    const { leaf, atMs, hit } = await this.#deps.leaves.get(this.#id(namespace, service));
    return { value: leaf, index: leaf.ModifyIndex, hit, ageMs: this.#deps.clock.monotonic() - atMs };
  }

  leafIndex(namespace: string, service: string): number {
    return this.#deps.leaves.peek(this.#id(namespace, service))?.leaf.ModifyIndex ?? 0;
  }

  watchLeaf(namespace: string, service: string, wake: () => void): () => void {
    return this.#deps.leaves.watch(this.#id(namespace, service), wake);
  }

  authorize(request: AuthorizeRequest): Promise<Authorization> {
    return this.#deps.authority.authorize(request);
  }

  #id(namespace: string, service: string): SpiffeId {
    // Consul's longest service name that a certificate takes is a DNS name's.
    if (service.length > 253) throw new AppError('badRequest', 'the name of the service must be 1 to 253 characters');
    return { kind: 'service', namespace, datacenter: this.#datacenter, service };
  }
}
