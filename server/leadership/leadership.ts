import type { Compare } from '../../store/store.ts';

/** A server, and where the others reach it. */
export interface ServerPlace {
  readonly id: string;
  readonly name: string;
  /** `host:port` of the servers' own port. */
  readonly address: string;
}

/** Which server takes writes and answers default reads. */
export interface Leadership {
  /** Whether this server is the leader, and sure of it now. */
  leads(): boolean;
  /** Who leads as far as this server knows; undefined when nobody is known to. */
  leader(): ServerPlace | undefined;
  /** What has to be mended before anybody can lead; undefined when an election is all that is needed. */
  hindrance(): string | undefined;
  /** Milliseconds since this server knew what the leader knew; 0 on the leader. */
  lastContactMs(): number;
  /** What every commit of the leader compares, so that a deposed one cannot commit. @throws AppError `noLeader`. */
  fence(): readonly Compare[];
  /** A commit that was begun then has succeeded: the leader was the leader. */
  confirmed(begunAtMs: number): void;
  /** A commit's fence did not hold: another one leads. */
  deposed(): void;
  /**
   * Resolves when the state shows everything that was acknowledged before the call, by quorum; undefined where the state
   * always does. @throws AppError `noLeader`, `deadline`.
   */
  barrier(): Promise<void> | undefined;
  /** Leads no longer, so that the server with this id can. @throws AppError `noLeader`, what the store throws. */
  resign(to: string): Promise<void>;
  /** Resolves with the next change of the leader, after the time, or as soon as the signal aborts. */
  changed(withinMs: number, signal?: AbortSignal): Promise<void>;
}

/** Of a store that belongs to one server: it leads as soon as it has the catalog. */
export class SoleLeadership implements Leadership {
  readonly #state: { readonly loaded: boolean };
  readonly #self: ServerPlace;

  constructor(state: { readonly loaded: boolean }, self: ServerPlace) {
    this.#state = state;
    this.#self = self;
  }

  leads(): boolean {
    return this.#state.loaded;
  }

  leader(): ServerPlace | undefined {
    return this.#state.loaded ? this.#self : undefined;
  }

  hindrance(): undefined {
    return undefined;
  }

  lastContactMs(): number {
    return 0;
  }

  fence(): readonly Compare[] {
    return NO_FENCE;
  }

  confirmed(): void {}

  deposed(): void {}

  barrier(): undefined {
    return undefined;
  }

  resign(): Promise<void> {
    return Promise.resolve();
  }

  changed(): Promise<void> {
    return Promise.resolve();
  }
}

const NO_FENCE: readonly Compare[] = [];
