import type { InjectionToken } from 'tsyringe';
import type {
  AgentBackend,
  CatalogWrites,
  NodeReads,
  OwnerBackend,
  ServerStatus,
  ServiceReads,
} from '../api/routes/catalog-backend.ts';
import type { CatalogFollower } from './catalog/follower.ts';
import type { CatalogLookups } from './catalog/lookups.ts';
import type { OwnedHub } from './catalog/owned-hub.ts';
import type { RevisionGate } from './catalog/revision-gate.ts';
import type { CatalogState } from './catalog/state.ts';
import type { StateWriter } from './catalog/state-writer.ts';
import type { CatalogWriter } from './catalog/writer.ts';
import type { LeadershipParts } from './leadership/compose-leadership.ts';
import type { RecordFormat } from './leadership/record-format.ts';
import type { AgentLiveness } from './liveness/agent-liveness.ts';
import type { VirtualAddressTable } from './virtual-addresses/virtual-address-table.ts';

/** The parts of a server, for its composition root only. */
export const STATE: InjectionToken<CatalogState> = Symbol('CatalogState');
export const GATE: InjectionToken<RevisionGate> = Symbol('RevisionGate');
export const FOLLOWER: InjectionToken<CatalogFollower> = Symbol('CatalogFollower');
export const LEADERSHIP: InjectionToken<LeadershipParts> = Symbol('Leadership');
export const STATE_WRITER: InjectionToken<StateWriter> = Symbol('StateWriter');
export const WRITER: InjectionToken<CatalogWriter> = Symbol('CatalogWriter');
export const VIRTUAL_ADDRESSES: InjectionToken<VirtualAddressTable> = Symbol('VirtualAddressTable');
export const LOOKUPS: InjectionToken<CatalogLookups> = Symbol('CatalogLookups');
export const OWNED_HUB: InjectionToken<OwnedHub> = Symbol('OwnedHub');
export const LIVENESS: InjectionToken<AgentLiveness> = Symbol('AgentLiveness');
export const RECORD_FORMAT: InjectionToken<RecordFormat> = Symbol('RecordFormat');
export const READS: InjectionToken<NodeReads & ServiceReads> = Symbol('CatalogReads');
export const WRITES: InjectionToken<CatalogWrites> = Symbol('CatalogWrites');
export const AGENTS: InjectionToken<AgentBackend> = Symbol('AgentBackend');
export const OWNERS: InjectionToken<OwnerBackend> = Symbol('OwnerBackend');
export const STATUS: InjectionToken<ServerStatus> = Symbol('ServerStatus');
