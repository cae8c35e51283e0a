import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ConfigReloads } from '../agent/config.ts';
import { certificatePaths } from '../agent/tls/server-certificate.ts';
import type { Clock } from '../core/clock.ts';
import type { RunContext, Runnable } from '../core/lifecycle.ts';
import { etcdTlsPaths } from './etcd-certificate.ts';

export interface AutoReloadDeps {
  readonly clock: Pick<Clock, 'sleep'>;
  /** Never rejects. */
  readonly reload: () => Promise<void>;
}

const EVERY_MS = 1_000;

/**
 * Reloads when a configuration file or a certificate changes (`auto_reload_config`): looks once a second at the files' times and sizes,
 * which also sees mounted ConfigMaps change, and waits until they have been the same for a second.
 */
export class AutoReload implements Runnable {
  readonly name = 'auto-reload';
  readonly #deps: AutoReloadDeps;
  readonly #paths: () => readonly string[];

  constructor(deps: AutoReloadDeps, options: { paths: () => readonly string[] }) {
    this.#deps = deps;
    this.#paths = options.paths;
  }

  async run(ctx: RunContext): Promise<void> {
    let loaded = stampOf(this.#paths());
    let before = loaded;
    ctx.ready();
    while (!ctx.signal.aborted) {
      await this.#deps.clock.sleep(EVERY_MS, ctx.signal);
      const now = stampOf(this.#paths());
      if (now === before && now !== loaded && !ctx.signal.aborted) {
        loaded = now;
        await this.#deps.reload();
      }
      before = now;
    }
  }
}

/** What an agent's process watches: its configuration, and the certificates that it names at present. */
export function watchedPaths(configPaths: readonly string[], reloads: Pick<ConfigReloads, 'current'>): string[] {
  return [
    ...configPaths,
    ...etcdTlsPaths(reloads.current.etcd),
    ...certificatePaths(reloads.current.tls.https),
    ...certificatePaths(reloads.current.tls.internalRpc),
  ];
}

/** Differs when a file is added, removed, replaced or written. */
function stampOf(paths: readonly string[]): string {
  return paths
    .flatMap((path) => (statSync(path, { throwIfNoEntry: false })?.isDirectory() ? inFolder(path) : [path]))
    .map((path) => {
      const stat = statSync(path, { throwIfNoEntry: false });
      return stat ? `${path} ${stat.ino} ${stat.size} ${stat.mtimeMs}` : `${path} absent`;
    })
    .join('\n');
}

function inFolder(folder: string): string[] {
  try {
    return readdirSync(folder)
      .sort()
      .map((name) => join(folder, name));
  } catch {
    // It went between two looks; the next one tells.
    return [];
  }
}
