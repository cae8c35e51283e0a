import type { AgentConfig, ConfigReloads, ParsedAgentConfig, PrepareConfig } from '../agent/config.ts';
import { errorText } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { ServiceManager } from './service-manager.ts';

/** What changes while the agent runs, by field; everything else needs a restart. */
const RELOADABLE = [
  'discardCheckOutput',
  'checks',
  'dns',
  'http',
  'logLevel',
  'maxConnectionsPerClient',
  'nodeMeta',
  'services',
  'tls',
  'watches',
] as const;

/** What an agent's process starts from. */
export interface AgentStart {
  readonly config: AgentConfig;
  /** Reads flags and files anew. @throws AppError `config`. */
  readonly read: () => ParsedAgentConfig;
  /** The files and folders that the command line names. */
  readonly configPaths: readonly string[];
}

export interface ConfigReloaderDeps {
  readonly read: () => ParsedAgentConfig;
  readonly log: Logger;
  /** Is told of each reload. */
  readonly manager?: Pick<ServiceManager, 'whileReloading'>;
}

/**
 * Reads the configuration anew while the agent runs. A configuration that is wrong for any part changes nothing; what
 * cannot change without a restart is logged by name.
 */
export class ConfigReloader implements ConfigReloads {
  readonly #read: () => ParsedAgentConfig;
  readonly #log: Logger;
  readonly #around: (reload: () => Promise<void>) => Promise<void>;
  readonly #parts: PrepareConfig[] = [];
  #current: AgentConfig;
  #running: Promise<unknown> = Promise.resolve();

  constructor(deps: ConfigReloaderDeps, initial: AgentConfig) {
    this.#read = deps.read;
    this.#log = deps.log;
    this.#around = deps.manager ? (reload) => deps.manager!.whileReloading(reload) : (reload) => reload();
    this.#current = initial;
  }

  get current(): AgentConfig {
    return this.#current;
  }

  /** Adds a part that changes with the configuration. */
  add(part: PrepareConfig): void {
    this.#parts.push(part);
  }

  /** One reload at a time. @throws AppError `config`: one clear line; nothing has changed then. */
  reload(): Promise<void> {
    const result = this.#running.then(() => this.#around(() => this.#reload()));
    this.#running = result.catch(() => {});
    return result;
  }

  /** `reload` for signals, whose sender hears nothing: failures are logged. */
  async reloadAndLog(): Promise<void> {
    try {
      await this.reload();
    } catch (error) {
      this.#log.error('the configuration could not be reloaded; the old one stays', { text: errorText(error) });
    }
  }

  async #reload(): Promise<void> {
    const { config, warnings } = this.#read();
    for (const text of warnings) this.#log.warn('configuration', { text });
    const next = { ...this.#current, ...Object.fromEntries(RELOADABLE.map((field) => [field, config[field]])) };
    const commits = this.#parts.map((prepare) => prepare(next));
    const needRestart = fixedChanges(this.#current, config);
    if (needRestart.length > 0) {
      this.#log.warn('changed keys that need a restart of the agent', { keys: needRestart });
    }
    this.#current = next;
    for (const commit of commits) await commit();
    this.#log.info('the configuration is reloaded');
  }
}

/** The keys, by the names of files, that differ and are not reloadable. */
function fixedChanges(before: AgentConfig, after: AgentConfig): string[] {
  const fields = Object.keys(after) as (keyof AgentConfig)[];
  return fields
    .filter((field) => !(RELOADABLE as readonly string[]).includes(field))
    .filter((field) => JSON.stringify(before[field]) !== JSON.stringify(after[field]))
    .map((field) => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
}
