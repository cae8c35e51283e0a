import { blockingQuery } from '../../api/blocking-query.ts';
import type { CaBackend } from '../../api/routes/ca-routes.ts';
import type { Authorization, AuthorizeRequest, CaRoots, IssuedCertificate } from '../../api/shapes/connect.ts';
import type { Clock } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';

/** The certificate authority for the agent of this process. */
export class InProcessAuthority {
  readonly #deps: { readonly clock: Clock; readonly random: Random; readonly ca: CaBackend };

  constructor(deps: { clock: Clock; random: Random; ca: CaBackend }) {
    this.#deps = deps;
  }

  async roots(
    options: { index: number; waitMs: number },
    signal: AbortSignal,
  ): Promise<{ index: number; roots: CaRoots }> {
    await this.#deps.ca.ready();
    const { run, watch } = this.#deps.ca.roots();
    const { index, value } = await blockingQuery(this.#deps, options, run, watch, signal);
    return { index, roots: value };
  }

  async sign(csr: string): Promise<IssuedCertificate> {
    await this.#deps.ca.ready();
    return this.#deps.ca.sign(csr);
  }

  async authorize(request: AuthorizeRequest): Promise<Authorization> {
    return this.#deps.ca.authorize(request);
  }
}
