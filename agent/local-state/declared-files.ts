import { errorText } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import {
  declarationOf,
  type LocalCheck,
  type LocalCheckDeclaration,
  type LocalService,
  localKey,
} from './local-records.ts';
import type { StateFiles } from './state-files.ts';

export interface DeclaredFilesDeps {
  readonly files: Pick<StateFiles, 'saveService' | 'saveCheck'>;
  /** What counts now, by key; the files follow it. */
  readonly services: ReadonlyMap<string, LocalService>;
  readonly checks: ReadonlyMap<string, LocalCheck>;
  readonly log: Logger;
}

/** The files of what clients have declared. What the configuration declares needs none, and takes the place of theirs. */
export class DeclaredFiles {
  readonly #deps: DeclaredFilesDeps;

  constructor(deps: DeclaredFilesDeps) {
    this.#deps = deps;
  }

  /**
   * Writes services and checks that are to count, and forgets `replaced`. When something cannot be written, what counts
   * now is written again: else a restart would bring back a registration that was refused.
   */
  async save(
    services: readonly LocalService[],
    checks: readonly LocalCheckDeclaration[],
    replaced: readonly LocalCheckDeclaration[],
  ): Promise<void> {
    const undo: (() => Promise<void>)[] = [];
    try {
      // Services after their checks: a crash on the way leaves checks without their service, which a start drops.
      for (const check of checks) {
        undo.push(() => this.#saveKnownCheck(check));
        await this.saveCheck(check);
      }
      for (const service of services) {
        undo.push(() => this.#saveKnownService(service));
        await this.#saveService(service);
      }
      for (const check of replaced) {
        undo.push(() => this.#saveKnownCheck(check));
        await this.forgetCheck(check);
      }
    } catch (error) {
      for (const revert of undo.reverse()) await revert().catch((failure: unknown) => this.#leftBehind(failure));
      throw error;
    }
  }

  async saveCheck(check: LocalCheckDeclaration): Promise<void> {
    const { files, checks } = this.#deps;
    const key = localKey(check.namespace, check.checkId);
    if (check.origin === 'api') await files.saveCheck(key, check);
    else if (checks.get(key)?.origin === 'api') await files.saveCheck(key, undefined);
  }

  async forgetCheck(check: LocalCheckDeclaration): Promise<void> {
    if (check.origin === 'config') return;
    await this.#deps.files.saveCheck(localKey(check.namespace, check.checkId), undefined);
  }

  async forgetService({ namespace, instance }: LocalService): Promise<void> {
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
    this.#deps.log.error('a registration that failed could not be undone on disk; a restart may show a part of it', {
      text: errorText(failure),
    });
  }
}

function serviceAsDeclared({ declaredTags, ...service }: LocalService): LocalService {
  return declaredTags ? { ...service, instance: { ...service.instance, Tags: declaredTags } } : service;
}
