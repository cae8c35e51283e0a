/** What a client asked of one key. Every write carries a value that no other one of its key carries. */
export type Call =
  | { readonly kind: 'read' }
  | { readonly kind: 'write'; readonly value: string }
  /** `index`: the ModifyIndex that must be there; 0: the key must not be there. */
  | { readonly kind: 'cas'; readonly value: string; readonly index: number }
  | { readonly kind: 'delete' }
  | { readonly kind: 'acquire'; readonly value: string; readonly session: string }
  | { readonly kind: 'release'; readonly value: string; readonly session: string }
  /** A write that happens only while the session holds the key. */
  | { readonly kind: 'guarded'; readonly value: string; readonly session: string }
  /** The end of a session, which frees the key when the session holds it. */
  | { readonly kind: 'destroy'; readonly session: string };

/** What a read showed. */
export interface Seen {
  readonly value: string;
  /** ModifyIndex. */
  readonly index: number;
  /** Who holds the lock. */
  readonly session?: string;
}

/** `undefined`: the read found no key. Booleans: whether the condition of a write held. */
export type Answer = Seen | boolean | undefined;

/** One operation of a history. `start` and `end` are places in the order of all events, each used once. */
export interface Operation {
  readonly client: string;
  readonly key: string;
  readonly call: Call;
  readonly start: number;
  /** `Infinity`: the outcome is unknown; it took effect at any time after `start`, or will, or never. */
  readonly end: number;
  /** Of one with an unknown outcome: the event after which it certainly takes no effect any more. */
  readonly by?: number;
  readonly answer?: Answer;
}

/** An operation that is on its way: exactly one of its methods is called. */
export interface Begun {
  done(answer: Answer): void;
  /** It may have taken effect or may still do so. */
  unknown(): void;
  /** One of unknown outcome: from now on it takes no effect any more, if it has taken none. */
  over(): void;
  /** It certainly took no effect. */
  failed(): void;
}

/** Writes down operations in the order of their events. */
export class History {
  readonly operations: Operation[] = [];
  #events = 0;

  begin(client: string, key: string, call: Call): Begun {
    const start = this.#events++;
    let unknown: (Operation & { by?: number }) | undefined;
    return {
      done: (answer) => {
        this.operations.push({ client, key, call, start, end: this.#events++, answer });
      },
      unknown: () => {
        // A read that was not answered says nothing.
        if (call.kind === 'read') return;
        unknown = { client, key, call, start, end: Infinity };
        this.operations.push(unknown);
      },
      over: () => {
        if (unknown) unknown.by = this.#events++;
      },
      failed: () => {},
    };
  }

  byKey(): Map<string, Operation[]> {
    return Map.groupBy(this.operations, ({ key }) => key);
  }
}

/** One line for people. */
export function operationLine({ client, call, start, end, by, answer }: Operation): string {
  const { kind, ...args } = call;
  const unknown = by === undefined ? 'unknown' : `unknown, at ${by} at the latest`;
  const outcome = end === Infinity ? unknown : (JSON.stringify(answer) ?? 'no key');
  return `${String(start).padStart(6)} .. ${String(end).padEnd(8)} ${client}: ${kind} ${JSON.stringify(args)} -> ${outcome}`;
}
