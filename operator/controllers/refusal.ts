import { AppError } from '../../core/errors.ts';

/** Whether the servers refused what was sent for what it says: sent again, it is refused until something else changes. */
export function isRefusal(error: unknown): error is AppError {
  return error instanceof AppError && (error.code === 'badRequest' || error.code === 'tooLarge');
}
