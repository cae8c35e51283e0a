import { RECORD_TYPES } from '../../wire/record.ts';
import type { HandlerFactory } from '../handler.ts';

const SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 2.5];

/** Counts every answer by type, transport and code, and how long it took. */
export const metricsHandler: HandlerFactory = {
  name: 'metrics',
  create({ metrics, clock }) {
    const queries = metrics.counter({
      name: 'lictor_dns_queries_total',
      help: 'DNS questions answered, by type, transport and response code.',
      labels: ['type', 'transport', 'rcode'],
    });
    const truncated = metrics.counter({
      name: 'lictor_dns_truncated_answers_total',
      help: 'DNS answers sent with the TC bit.',
    });
    const seconds = metrics.histogram(
      { name: 'lictor_dns_answer_duration_seconds', help: 'Time from a decoded DNS question to its answer.' },
      SECONDS,
    );
    return async (query, next) => {
      const start = clock.monotonic();
      const answer = await next(query);
      const type = query.type in RECORD_TYPES ? query.type : 'other';
      queries.add(1, { type, transport: query.transport, rcode: answer.rcode });
      if (answer.truncated) truncated.add();
      seconds.observe((clock.monotonic() - start) / 1000);
      return answer;
    };
  },
};
