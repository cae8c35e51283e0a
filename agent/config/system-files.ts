import { readdirSync, readFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import type { ConfigFiles } from './read-files.ts';

/** Files and machine as `parseAgentConfig` reads them. */
export const systemConfigFiles: ConfigFiles = {
  readFile: (path) => readFileSync(path, 'utf8'),
  readFolder: (path) => readdirSync(path),
  hostname,
  addresses: () =>
    Object.entries(networkInterfaces()).flatMap(([name, list]) =>
      (list ?? []).map(({ address, internal }) => ({ name, address, internal })),
    ),
};
