import type { AgentConfig } from '../agent/config.ts';

/** Whether an agent that a signal stops leaves, too. Only what the configuration says outright: a restart takes nothing away. */
export function leavesOn(
  signal: unknown,
  config: Pick<AgentConfig, 'leaveOnTerminate' | 'skipLeaveOnInterrupt'>,
): boolean {
  if (signal === 'SIGTERM') return config.leaveOnTerminate === true;
  return signal === 'SIGINT' && config.skipLeaveOnInterrupt === false;
}
