/**
 * Runs `check` until it neither throws nor returns false, for at most `withinMs`; then throws what it threw last.
 * For integration tests only: unit tests move a FakeClock.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  options: { withinMs: number; everyMs?: number; what?: string },
): Promise<T> {
  const deadline = performance.now() + options.withinMs;
  for (;;) {
    let failure: unknown = new Error(`not so within ${options.withinMs} ms: ${options.what ?? check.toString()}`);
    try {
      const result = await check();
      if (result !== false) return result;
    } catch (error) {
      failure = error;
    }
    if (performance.now() > deadline) throw failure;
    await new Promise((resolve) => setTimeout(resolve, options.everyMs ?? 25));
  }
}
