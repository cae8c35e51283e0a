import { AppError } from '../../../core/errors.ts';
import type { Answer } from '../../answers/answer.ts';
import type { HandlerFactory } from '../handler.ts';

/** Lookups past their deadline that may still be pending before further questions are refused at once. */
const MAX_OVERDUE = 1024;

/**
 * Gives up on lookups that take too long. What was given up is still running, so its number is bounded: with too many
 * overdue ones, questions fail at once instead of piling up behind a catalog that does not answer.
 */
export const deadlineHandler: HandlerFactory = {
  name: 'deadline',
  create({ clock, metrics, lookupTimeoutMs }) {
    let overdue = 0;
    const gauge = metrics.gauge({
      name: 'lictor_dns_overdue_lookups',
      help: 'DNS lookups still pending after their deadline.',
    });
    const count = (change: number) => {
      overdue += change;
      gauge.set(overdue);
    };
    return (query, next) => {
      if (overdue >= MAX_OVERDUE) {
        return Promise.reject(
          new AppError('unavailable', `${overdue} DNS lookups are overdue; the catalog does not answer`),
        );
      }
      return new Promise<Answer>((resolve, reject) => {
        let late = false;
        const timer = clock.after(lookupTimeoutMs, () => {
          late = true;
          count(1);
          reject(new AppError('deadline', `a DNS lookup took longer than ${lookupTimeoutMs} ms`));
        });
        const settle = () => {
          timer.cancel();
          if (late) count(-1);
        };
        next(query).then(
          (answer) => {
            settle();
            resolve(answer);
          },
          (error: unknown) => {
            settle();
            reject(error);
          },
        );
      });
    };
  },
};
