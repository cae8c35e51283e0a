import { errorText } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import {
  declarationOf,
  type LocalCheck,
  type LocalCheckDeclaration,
  type LocalService,
  localKey,
  serviceAsDeclared,
} from './local-records.ts';
import type { StateFiles } from './state-files.ts';

export interface DeclaredFilesDeps {
  readonly files: Pick<StateFiles, 'saveService' | 'saveCheck'>;
  /** What counts now, by key; the files follow it. */
  readonly services: ReadonlyMap<string, LocalService>;
  readonly checks: ReadonlyMap<string, LocalCheck>;
  readonly log: Logger;
}

/** A change of one file, and what brings back what counts now. */
interface Step {
  readonly change: () => Promise<void>;
  readonly undo: () => Promise<void>;
}

/**
 * The files of what clients have declared. What the configuration declares needs none, and takes the place of theirs. When
 * something cannot be written, what counts now is written again: else a restart would show a part of what was refused.
 */
export class DeclaredFiles {
  readonly #deps: DeclaredFilesDeps;

  constructor(deps: DeclaredFilesDeps) {
    this.#deps = deps;
  }

  /** Writes services and checks that are to count, and forgets `replaced`: all or none. */
  async save(
    services: readonly LocalService[],
    checks: readonly LocalCheckDeclaration[],
    replaced: readonly LocalCheckDeclaration[],
  ): Promise<void> {
    // Services after their checks: a crash on the way leaves checks without their service, which a start drops.
    await this.#allOrNone([
      ...checks.map((check) => this.#ofCheck(check, () => this.#saveCheck(check))),
      ...services.map((service) => this.#ofService(service, () => this.#saveService(service))),
      ...replaced.map((check) => this.#ofCheck(check, () => this.#forgetCheck(check))),
    ]);
  }

  /** Forgets services and checks: all or none. */
  async forget(services: readonly LocalService[], checks: readonly LocalCheckDeclaration[]): Promise<void> {
    // Services before their checks, for the same reason: no crash leaves a service without what tells that it is ill.
    await this.#allOrNone([
      ...services.map((service) => this.#ofService(service, () => this.#forgetService(service))),
      ...checks.map((check) => this.#ofCheck(check, () => this.#forgetCheck(check))),
    ]);
  }

  async #allOrNone(steps: readonly Step[]): Promise<void> {
    const begun: Step[] = [];
    try {
      for (const step of steps) {
        begun.push(step);
        await step.change();
      }
    } catch (error) {
      // The one that has failed, too: it may have done its work but for the last sync.
      for (const { undo } of begun.reverse()) await undo().catch((failure: unknown) => this.#leftBehind(failure));
      throw error;
    }
  }

  #ofCheck(check: LocalCheckDeclaration, change: () => Promise<void>): Step {
    return { change, undo: () => this.#saveKnownCheck(check) };
  }

  #ofService(service: LocalService, change: () => Promise<void>): Step {
    return { change, undo: () => this.#saveKnownService(service) };
  }

  async #saveCheck(check: LocalCheckDeclaration): Promise<void> {
    const { files, checks } = this.#deps;
    const key = localKey(check.namespace, check.checkId);
    if (check.origin === 'api') await files.saveCheck(key, check);
    else if (checks.get(key)?.origin === 'api') await files.saveCheck(key, undefined);
  }

  async #forgetCheck(check: LocalCheckDeclaration): Promise<void> {
    if (check.origin === 'config') return;
    await this.#deps.files.saveCheck(localKey(check.namespace, check.checkId), undefined);
  }

  async #forgetService({ namespace, instance }: LocalService): Promise<void> {
    await this.#deps.files.saveService(localKey(namespace, instance.ID), undefined);
  }

  async #saveService(service: LocalService): Promise<void> {
    const { files, services } = this.#deps;
    const key = localKey(service.namespace, service.instance.ID);
    if (service.origin === 'api') await files.saveService(key, service);
    else if (services.get(key)?.origin === 'api') await files.saveService(key, undefined);
  }

  async #saveKnownService({ namespace, instance }: LocalService): Promise<void> {
    const key = localKey(namespace, instance.ID);
    const known = this.#deps.services.get(key);
    await this.#deps.files.saveService(key, known?.origin === 'api' ? serviceAsDeclared(known) : undefined);
  }

  async #saveKnownCheck({ namespace, checkId }: LocalCheckDeclaration): Promise<void> {
    const key = localKey(namespace, checkId);
    const known = this.#deps.checks.get(key);
    await this.#deps.files.saveCheck(key, known?.origin === 'api' ? declarationOf(known) : undefined);
  }

  #leftBehind(failure: unknown): void {
    this.#deps.log.error('a change that failed could not be undone on disk; a restart may show a part of it', {
      text: errorText(failure),
    });
  }
}
