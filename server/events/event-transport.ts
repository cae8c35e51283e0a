import type { UserEvent } from '../../api/shapes/user-event.ts';

/** How an event reaches every agent: with its own order of events, each once per agent. */
export interface EventTransport {
  /** @throws AppError `badRequest` when the event is larger than it carries. */
  broadcast(event: UserEvent): void;
  /** Calls back for each event that arrives, own ones included; gives a function that stops it. */
  onEvent(listener: (event: UserEvent) => void): () => void;
}

/** Carries events within this process: the server is the hub of its agents, which ask it for theirs. */
export class HubTransport implements EventTransport {
  readonly #listeners = new Set<(event: UserEvent) => void>();
  #time = 0;

  broadcast(event: UserEvent): void {
    const timed = { ...event, LTime: ++this.#time };
    for (const listener of this.#listeners) listener(timed);
  }

  onEvent(listener: (event: UserEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
