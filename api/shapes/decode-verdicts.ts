import { AppError } from '../../core/errors.ts';
import { decodeBody, INT, list, object, type Schema, STRING } from '../decode.ts';
import type { Verdict, VerdictReport } from './agent-sync.ts';
import { type CheckStatus, DEFAULT_NAMESPACE } from './catalog.ts';

export const REPORT: Schema = object({
  Verdicts: list(object({ Namespace: STRING, CheckID: STRING, Status: STRING, Output: STRING })),
  HeartbeatMs: INT,
});

/** Whether a text is one of the three states of a check. */
export function isCheckStatus(text: unknown): text is CheckStatus {
  return text === 'passing' || text === 'warning' || text === 'critical';
}

/** Body of PUT /v1/internal/agent/:node/verdicts. @throws AppError `badRequest` naming the field. */
export function decodeVerdictReport(body: Buffer): VerdictReport {
  const decoded = (decodeBody(REPORT, body) ?? {}) as { Verdicts?: Partial<Verdict>[]; HeartbeatMs?: number };
  const heartbeatMs = decoded.HeartbeatMs ?? 0;
  if (heartbeatMs <= 0) throw new AppError('badRequest', 'HeartbeatMs must be a positive number of milliseconds');
  return { HeartbeatMs: heartbeatMs, Verdicts: (decoded.Verdicts ?? []).map(checkedVerdict) };
}

function checkedVerdict(verdict: Partial<Verdict>, at: number): Verdict {
  if (!verdict.CheckID) throw new AppError('badRequest', `Verdicts[${at}].CheckID is missing`);
  if (!isCheckStatus(verdict.Status)) {
    throw new AppError('badRequest', `Verdicts[${at}].Status must be passing, warning or critical`);
  }
  return {
    Namespace: (verdict.Namespace || DEFAULT_NAMESPACE).toLowerCase(),
    CheckID: verdict.CheckID,
    Status: verdict.Status,
    Output: verdict.Output ?? '',
  };
}
