import type { AgentEntries, AssignedCheck, NodeHealth, VerdictReport } from '../../api/shapes/agent-sync.ts';
import type { Deregistration, Registration, WriterIdentity } from '../../api/shapes/registration.ts';

/**
 * What an agent asks of the servers; over port 8300 in client mode, in process where a server runs beside it.
 * Every call has a deadline and rejects with an AppError; a rejection is never read as "nothing there".
 */
export interface ServerCatalog {
  register(registration: Registration, writer: WriterIdentity): Promise<void>;
  deregister(target: Deregistration, writer: WriterIdentity): Promise<void>;
  /** The entries of this node that `agent/<node>` owns, for anti-entropy. */
  entries(node: string, signal: AbortSignal): Promise<AgentEntries>;
  /**
   * The check definitions that others declared for this node (everything runnable whose owner is not `agent/<node>`).
   * Blocks until the definitions changed after `index`, or `waitMs` passed; state changes do not wake it.
   */
  definitions(
    node: string,
    options: { index: number; waitMs: number },
    signal: AbortSignal,
  ): Promise<{ index: number; checks: AssignedCheck[] }>;
  /** The health of any node. Blocks until the node changed after `index`, or `waitMs` passed. */
  health(
    node: string,
    options: { index: number; waitMs: number },
    signal: AbortSignal,
  ): Promise<{ index: number; health: NodeHealth }>;
  report(node: string, report: VerdictReport): Promise<void>;
}
