import { AppError } from '../../core/errors.ts';

/**
 * Decodes a body of the agent's endpoints. Their clients compare these two texts with Consul's, so what the decoder
 * adds to them is left out; the field stays in the error's facts.
 */
export function decodeAgentBody<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'badRequest') throw error;
    const message = error.message
      .replace(/^(Request decode failed: EOF):.*$/s, '$1')
      .replace(/^(Request decode failed: time: invalid duration "(?:[^"\\]|\\.)*").*$/s, '$1');
    throw new AppError('badRequest', message, { facts: error.facts, cause: error });
  }
}
