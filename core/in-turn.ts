/** Runs tasks one after the other, in the order in which they come. One that fails keeps none of those after it from running. */
export class InTurn {
  #last: Promise<unknown> = Promise.resolve();

  /** What the task gives, or throws, when its turn has come. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#last.then(task);
    this.#last = done.catch(() => {});
    return done;
  }
}
