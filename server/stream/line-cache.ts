import type { StreamSpec } from '../../api/routes/stream-routes.ts';
import type { HealthEntry } from '../../api/shapes/catalog.ts';

interface Made {
  readonly body: Buffer;
  /** The line that was made of it last. */
  index: number;
  line: Buffer;
}

const END = Buffer.from('}\n');

/**
 * Lines of instances: each state of an instance is serialised once, whichever streams show it, and streams that are at
 * the same index share the whole line. Bounded; the oldest goes first.
 */
export class LineCache {
  readonly #maxBytes: number;
  readonly #made = { health: new Map<HealthEntry, Made>(), catalog: new Map<HealthEntry, Made>() };
  #bytes = 0;

  constructor(options: { maxBytes: number }) {
    this.#maxBytes = options.maxBytes;
  }

  upsert(spec: Pick<StreamSpec, 'rows' | 'row'>, entry: HealthEntry, index: number): Buffer {
    const known = this.#made[spec.rows];
    let made = known.get(entry);
    if (!made) {
      const body = Buffer.from(JSON.stringify(spec.row(entry)));
      made = { body, index, line: lineOf(body, index) };
      this.#keep(known, entry, made);
    }
    if (made.index !== index) {
      made.index = index;
      made.line = lineOf(made.body, index);
    }
    return made.line;
  }

  #keep(known: Map<HealthEntry, Made>, entry: HealthEntry, made: Made): void {
    known.set(entry, made);
    this.#bytes += sizeOf(made);
    for (const entries of [known, this.#made.health, this.#made.catalog]) {
      for (const [oldest, { body, line }] of entries) {
        if (this.#bytes <= this.#maxBytes) return;
        entries.delete(oldest);
        this.#bytes -= sizeOf({ body, line });
      }
    }
  }
}

/** The line's length differs with its index by a few digits: not counted. */
function sizeOf({ body }: { body: Buffer; line: Buffer }): number {
  return body.length * 2;
}

function lineOf(body: Buffer, index: number): Buffer {
  return Buffer.concat([Buffer.from(`{"Type":"upsert","Index":${index},"Entry":`), body, END]);
}
