import { AppError } from '../../core/errors.ts';
import type { ServerPlace } from './leadership.ts';

/** Who leads, as the store has it. */
export interface LeaderRecord extends ServerPlace {
  /** Higher with every election. */
  readonly epoch: number;
  /** It has left of its own accord. */
  readonly resigned?: boolean;
  /** The id of the one that may follow at once; any may when absent. */
  readonly successor?: string;
}

/** @throws AppError `storeCorrupt` for what is none. */
export function readLeaderRecord(value: Uint8Array): LeaderRecord {
  let record: Partial<LeaderRecord> | null = null;
  try {
    record = JSON.parse(Buffer.from(value).toString()) as Partial<LeaderRecord> | null;
  } catch {
    // Said below.
  }
  const { id, name, address, epoch } = record ?? {};
  const texts = [id, name, address].every((text) => typeof text === 'string');
  if (!texts || !Number.isSafeInteger(epoch)) {
    throw new AppError('storeCorrupt', 'the record of the leader in the store cannot be read');
  }
  return record as LeaderRecord;
}
