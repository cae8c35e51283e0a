import type { EventToFire } from '../../api/routes/event-routes.ts';
import { EVENT_VERSION, type UserEvent } from '../../api/shapes/user-event.ts';
import { AppError, errorText } from '../../core/errors.ts';
import { compileRegexp } from '../../core/regexp.ts';

/** serf's limit for name and payload together: an event travels in one packet. */
const MAX_BYTES = 512;

/** An event with its id, checked. @throws AppError `badRequest` with Consul's text. */
export function newEvent(fired: EventToFire, id: string): UserEvent {
  checkFilter('node', fired.node);
  checkFilter('service', fired.service);
  checkFilter('tag', fired.tag);
  if (fired.tag !== '' && fired.service === '') {
    throw new AppError('badRequest', 'Cannot provide tag filter without service filter', { facts: { field: 'tag' } });
  }
  if (Buffer.byteLength(fired.name) + fired.payload.length > MAX_BYTES) {
    throw new AppError(
      'badRequest',
      `error broadcasting event: user event exceeds configured limit of ${MAX_BYTES} bytes before encoding`,
    );
  }
  return {
    ID: id,
    Name: fired.name,
    Payload: fired.payload.length === 0 ? null : fired.payload.toString('base64'),
    NodeFilter: fired.node,
    ServiceFilter: fired.service,
    TagFilter: fired.tag,
    Version: EVENT_VERSION,
    LTime: 0,
  };
}

function checkFilter(what: string, pattern: string): void {
  if (pattern === '') return;
  try {
    compileRegexp(pattern);
  } catch (error) {
    throw new AppError('badRequest', `Invalid ${what} filter: ${errorText(error)}`, { facts: { field: what } });
  }
}
