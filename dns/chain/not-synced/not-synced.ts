import { errorAnswer } from '../../answers/answer.ts';
import type { HandlerFactory } from '../handler.ts';

/** SERVFAIL until the catalog has been loaded: an empty view says nothing about what exists. */
export const notSyncedHandler: HandlerFactory = {
  name: 'not-synced',
  create({ reader }) {
    return (query, next) => (reader.synced() ? next(query) : Promise.resolve(errorAnswer('SERVFAIL')));
  },
};
