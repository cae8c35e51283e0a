import type { Authorization, AuthorizeRequest, CaRoots, IssuedCertificate } from '../../api/shapes/connect.ts';

/**
 * What an agent asks of the cluster's certificate authority; over HTTP in client mode, in process where a server runs
 * beside it. Every call has a deadline and rejects with an AppError.
 */
export interface MeshAuthority {
  /** Blocks until the roots changed after `index`, or `waitMs` passed; with index 0 it answers at once. */
  roots(options: { index: number; waitMs: number }, signal: AbortSignal): Promise<{ index: number; roots: CaRoots }>;
  /** Signs a request in PEM. */
  sign(csr: string): Promise<IssuedCertificate>;
  authorize(request: AuthorizeRequest): Promise<Authorization>;
}
