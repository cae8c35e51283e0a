import type { CheckStatus } from '../../api/shapes/catalog.ts';
import type { StatusCount } from '../../api/shapes/ui.ts';

interface Counted {
  readonly name: string;
  readonly status: CheckStatus;
}

/** Counts things by name and status, as each of them changes. */
export class StatusTally<K> {
  readonly #counted = new Map<K, Counted>();
  readonly #names = new Map<string, Record<CheckStatus, number>>();

  /** The thing is now like this, or gone. */
  set(key: K, now: Counted | undefined): void {
    const before = this.#counted.get(key);
    if (before?.name === now?.name && before?.status === now?.status) return;
    if (before) this.#count(before, -1);
    if (now) {
      this.#count(now, 1);
      this.#counted.set(key, now);
    } else this.#counted.delete(key);
  }

  /** By name; an empty one is left out. */
  counts(): StatusCount[] {
    const names = [...this.#names].sort(([a], [b]) => (a < b ? -1 : 1));
    return names.map(([name, { passing, warning, critical }]) => ({
      ...(name !== '' && { Name: name }),
      Total: passing + warning + critical,
      Passing: passing,
      Warning: warning,
      Critical: critical,
    }));
  }

  #count({ name, status }: Counted, by: number): void {
    const counts = this.#names.get(name) ?? { passing: 0, warning: 0, critical: 0 };
    counts[status] += by;
    if (counts.passing + counts.warning + counts.critical > 0) this.#names.set(name, counts);
    else this.#names.delete(name);
  }
}
