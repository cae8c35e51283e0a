import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describeReal } from '../require-real.ts';

const SCRIPT = fileURLToPath(new URL('../../../scripts/install-clients', import.meta.url));

/** The program of a client that `scripts/install-clients` makes, where it would be. */
function clientProgram(name: string): string {
  return execFileSync(SCRIPT, ['--path', name], { encoding: 'utf8' }).trim();
}

/** `describe` for tests that need such a client; skipped, or failed when real parts are required, without it. */
export function describeClient(client: string, name: string, fn: (program: string) => void): void {
  const program = clientProgram(client);
  describeReal(client, existsSync(program), "'make clients' makes it", name, () => fn(program));
}
