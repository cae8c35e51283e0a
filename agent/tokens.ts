import type { InjectionToken } from 'tsyringe';
import type { AntiEntropySyncer } from './anti-entropy/anti-entropy-syncer.ts';
import type { AssignmentFollower } from './anti-entropy/assignment-follower.ts';
import type { CriticalReaper } from './anti-entropy/critical-reaper.ts';
import type { VerdictReporter } from './anti-entropy/verdict-reporter.ts';
import type { AgentInfo } from './backend/agent-info.ts';
import type { LocalBackend } from './backend/local-backend.ts';
import type { CheckSupervisor } from './checks/check-supervisor.ts';
import type { LocalState } from './local-state/local-state.ts';

export const LOCAL_STATE: InjectionToken<LocalState> = Symbol('LocalState');
export const CHECK_SUPERVISOR: InjectionToken<CheckSupervisor> = Symbol('CheckSupervisor');
export const ANTI_ENTROPY: InjectionToken<AntiEntropySyncer> = Symbol('AntiEntropySyncer');
export const VERDICT_REPORTER: InjectionToken<VerdictReporter> = Symbol('VerdictReporter');
export const ASSIGNMENT_FOLLOWER: InjectionToken<AssignmentFollower> = Symbol('AssignmentFollower');
export const CRITICAL_REAPER: InjectionToken<CriticalReaper> = Symbol('CriticalReaper');
export const LOCAL_BACKEND: InjectionToken<LocalBackend> = Symbol('LocalBackend');
export const AGENT_INFO: InjectionToken<AgentInfo> = Symbol('AgentInfo');
