/** The right to write, held by one operator of an owner at a time. */
export interface Leadership {
  /** Fencing number; the servers refuse lower ones. */
  readonly epoch: number;
  /**
   * To be called right before each write.
   * @throws AppError `staleEpoch` when the lease is, or may be, lost.
   */
  check(): void;
  /** A server refused our epoch: another leader has written. */
  lost(reason: string): void;
}
