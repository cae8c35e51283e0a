import type { AgentCheck } from '../../api/shapes/agent-check.ts';
import type { CheckToRegister } from '../local-state/local-changes.ts';
import type { Origin } from '../local-state/local-records.ts';

/** A check of the API or the configuration as the local state takes it. */
export function toRegister(
  namespace: string,
  check: AgentCheck,
  origin: Exclude<Origin, 'assigned'>,
  keepState: boolean,
): CheckToRegister {
  const { checkId, name, notes, serviceId, type, interval, timeout, definition, status } = check;
  const declaration = { namespace, checkId, name, notes, serviceId, type, interval, timeout, definition, origin };
  return { declaration, status, output: '', keepState };
}
