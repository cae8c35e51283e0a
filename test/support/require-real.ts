import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * Parts of the real world that some tests need: a program, a socket family, a right of the kernel. Where a part is
 * missing the tests are skipped with a line saying what to install; with `LICTOR_REQUIRE_REAL=1` they fail instead.
 */

/** Whether a missing part fails the tests rather than skipping them. */
export function realIsRequired(): boolean {
  return process.env.LICTOR_REQUIRE_REAL === '1';
}

/**
 * Whether the tests that need the part `name` may run: `found` itself, but a missing part is an error when real parts
 * are required.
 * @throws Error naming the part and how to install it.
 */
export function requireReal(name: string, found: boolean, howToInstall: string): boolean {
  if (!found && realIsRequired()) {
    throw new Error(`${name} is missing and LICTOR_REQUIRE_REAL=1 forbids skipping; ${howToInstall}`);
  }
  return found;
}

/**
 * `describe(name, fn)` for tests that need the real part `part`. Where it is missing, one skipped test says what to
 * install; when real parts are required, that one test fails.
 */
export function describeReal(part: string, isThere: boolean, install: string, name: string, fn: () => void): void {
  if (isThere) {
    describe(name, fn);
    return;
  }
  describe(name, () => {
    const run = realIsRequired() ? it : it.skip;
    run(`needs ${part} (${install})`, () => {
      requireReal(part, isThere, install);
    });
  });
}

/** The full path of a program found on PATH, or undefined. */
export function findProgram(program: string): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    if (folder === '') continue;
    const file = join(folder, program);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder: the next one is asked.
    }
  }
  return undefined;
}
