import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock } from '../../core/clock.ts';
import { BoundedOutput, verdictOfExit } from './bounded-output.ts';
import type { CheckResult } from './check-state.ts';
import { oneAttempt } from './one-attempt.ts';
import type { ScriptPlan } from './probe-plan.ts';

/**
 * Runs a command in a process group of its own. Exit 0 is passing, 1 warning, all else critical; its output is the
 * check's. At the deadline, and when the check is stopped, the whole group is killed: nothing of it stays behind.
 */
export function probeScript(deps: { clock: Clock }, plan: ScriptPlan, signal: AbortSignal): Promise<CheckResult> {
  const onTimeout: CheckResult = {
    status: 'critical',
    output: `Timed out (${plan.timeoutMs / 1000}s) running check`,
  };
  return oneAttempt(deps, { ...plan, onTimeout: () => onTimeout }, signal, (settle) => {
    const [command = '', ...args] = plan.args;
    const child = spawn(command, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const output = new BoundedOutput({ maxBytes: plan.outputMaxBytes });
    child.stdout.on('data', (chunk: Buffer) => output.add(chunk));
    child.stderr.on('data', (chunk: Buffer) => output.add(chunk));
    child.on('error', (error) => settle('critical', error.message));
    child.on('close', (code) => settle(verdictOfExit(code), output.text()));
    return () => killGroup(child);
  });
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The group has ended by itself.
  }
}
