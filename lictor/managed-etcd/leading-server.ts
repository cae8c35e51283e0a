import type { QuorumBackend } from '../../api/routes/operator-routes.ts';

/** Of the server that leads, or may. */
export interface LeadingServer {
  readonly quorum: Pick<QuorumBackend, 'members' | 'transferLeadership'>;
  leads(): boolean;
  /** Takes a node out of the catalog with all that is on it. */
  deregister(node: string): Promise<void>;
}
