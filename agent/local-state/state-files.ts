import type { LocalCheckDeclaration, LocalService, LocalVerdict } from './local-records.ts';

/** What a restarted agent finds. `problems` names each file that could not be used, and where it was moved. */
export interface PersistedState {
  readonly services: readonly LocalService[];
  readonly checks: readonly LocalCheckDeclaration[];
  /** By local key; of assigned checks too. */
  readonly verdicts: ReadonlyMap<string, LocalVerdict>;
  readonly problems: readonly string[];
}

/** Where the local state survives a restart. Each call resolves when its change would survive a crash of the machine. */
export interface StateFiles {
  /**
   * @throws AppError `config` when the folder cannot be used, `unavailable` when a file in it cannot be read (which does
   * not say that it is damaged), `storeVersion` when a newer version wrote it.
   */
  load(): Promise<PersistedState>;
  saveService(key: string, service: LocalService | undefined): Promise<void>;
  saveCheck(key: string, check: LocalCheckDeclaration | undefined): Promise<void>;
  /** `undefined` forgets the verdict. */
  saveVerdicts(verdicts: ReadonlyMap<string, LocalVerdict | undefined>): Promise<void>;
}

/** Keeps nothing: for an agent in development mode. */
export const noStateFiles: StateFiles = {
  load: async () => ({ services: [], checks: [], verdicts: new Map(), problems: [] }),
  saveService: async () => {},
  saveCheck: async () => {},
  saveVerdicts: async () => {},
};
