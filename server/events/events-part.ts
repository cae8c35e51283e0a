import { type EventBackend, eventRoutes } from '../../api/routes/event-routes.ts';
import type { CatalogState } from '../catalog/state.ts';
import type { PartDeps, ServerPart } from '../parts.ts';
import { type EventTransport, HubTransport } from './event-transport.ts';
import { newEvent } from './new-event.ts';
import { type EventTarget, ReceivedEvents } from './received-events.ts';

/** User events: fired here, carried by the transport, listed by each agent as far as they are meant for it. */
export function eventsPart(deps: PartDeps, transport: EventTransport = new HubTransport()): ServerPart {
  const received = new ReceivedEvents();
  transport.onEvent((event) => received.add(event));
  const backend: EventBackend = {
    fire(fired) {
      const event = newEvent(fired, deps.random.uuid());
      transport.broadcast(event);
      return event;
    },
    received: (agent) => received.of(targetOf(deps.state, agent)),
    watch: (wake) => received.watch(wake),
  };
  return { routes: eventRoutes(deps, backend, deps) };
}

function targetOf(state: CatalogState, agent: string): EventTarget {
  return {
    node: agent,
    *services() {
      for (const { service, tags } of state.node(agent)?.instances.values() ?? []) yield { name: service, tags };
    },
  };
}
