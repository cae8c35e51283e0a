/** Resolves in the next turn of the event loop, when what has arrived meanwhile has been taken in. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
