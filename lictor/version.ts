import { readFileSync } from 'node:fs';

/** The version of the package that this code came with. */
export function lictorVersion(): string {
  // The sources lie one folder below package.json, the emitted JavaScript two.
  for (const up of ['../package.json', '../../package.json']) {
    try {
      const found = JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8')) as {
        name?: string;
        version?: string;
      };
      if (found.name === 'lictor' && found.version) return found.version;
    } catch {
      // Not at this depth: try the next.
    }
  }
  return '0.0.0';
}

/** The Consul version whose HTTP API and flags this one speaks; clients compare it. */
export const CONSUL_COMPATIBLE_VERSION = '1.21.4';
