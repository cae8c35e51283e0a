/**
 * What writers know of their keys: the state that was last acknowledged, and one that a write without an answer may have
 * brought about. States are texts; undefined is absence.
 */
export class Outcomes {
  readonly #known = new Map<string, string | undefined>();
  readonly #pending = new Map<string, string | undefined>();

  /** Performs a write that is to bring the keys to these states. @throws what it throws; its outcome is then open. */
  async write<T>(states: Readonly<Record<string, string | undefined>>, perform: () => Promise<T>): Promise<T> {
    for (const [key, state] of Object.entries(states)) this.#pending.set(key, state);
    const result = await perform();
    for (const [key, state] of Object.entries(states)) {
      this.#known.set(key, state);
      this.#pending.delete(key);
    }
    return result;
  }

  /** Writes that were acknowledged of keys that are there. */
  get size(): number {
    return this.#known.size;
  }

  known(key: string): string | undefined {
    return this.#known.get(key);
  }

  /** What must not be: each key in another state than it may have, and keys that nobody wrote. What was found counts from now on. */
  settle(found: ReadonlyMap<string, string>): string[] {
    const wrong: string[] = [];
    for (const key of new Set([...this.#known.keys(), ...this.#pending.keys(), ...found.keys()])) {
      const state = found.get(key);
      const allowed = [this.#known.get(key), ...(this.#pending.has(key) ? [this.#pending.get(key)] : [])];
      if (!allowed.includes(state)) wrong.push(`${key} is ${state}, not ${allowed.join(' or ')}`);
      this.#known.set(key, state);
    }
    this.#pending.clear();
    return wrong;
  }
}
