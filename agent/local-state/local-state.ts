import type { AssignedCheck } from '../../api/shapes/agent-sync.ts';
import { type CheckStatus, DEFAULT_NAMESPACE } from '../../api/shapes/catalog.ts';
import type { Clock } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import { SetMap } from '../../core/set-map.ts';
import { canonicalJson } from './canonical-json.ts';
import {
  declarationOf,
  type LocalCheck,
  type LocalCheckDeclaration,
  type LocalService,
  type LocalVerdict,
  localKey,
  type Origin,
} from './local-records.ts';
import type { StateFiles } from './state-files.ts';

/** What happened to an entry. `verdict` tells whether the status changed or the output only. */
export type LocalChange =
  | { readonly kind: 'service'; readonly key: string }
  | {
      readonly kind: 'check';
      readonly key: string;
      readonly origin: Origin;
      /** Key of the service it belongs to; undefined for a check of the node itself. */
      readonly serviceKey: string | undefined;
      /** Whether its first run must come at once: its state is not known, or its definition has changed. */
      readonly prompt: boolean;
      /** How many checks come together. */
      readonly crowd: number;
    }
  | { readonly kind: 'verdict'; readonly key: string; readonly statusChanged: boolean };

/** A check as registered: with `status` the caller says what it is; else a known state is kept. */
export interface CheckToRegister {
  readonly declaration: LocalCheckDeclaration;
  readonly status: CheckStatus;
  readonly output: string;
  /** Whether a state known from an earlier registration stays. */
  readonly keepState: boolean;
}

export interface LocalStateDeps {
  readonly files: StateFiles;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly log: Logger;
}

/**
 * The services and checks of this node: those that the agent owns (registered by its API or configuration, kept over a
 * restart) and the checks assigned to it through the catalog. Listeners hear of each change after it counts.
 */
export class LocalState {
  readonly #files: StateFiles;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #log: Logger;
  readonly #services = new Map<string, LocalService>();
  readonly #checks = new Map<string, LocalCheck>();
  /** Keys of checks that had a verdict since this process started. */
  readonly #judged = new Set<string>();
  readonly #checksByService = new SetMap<string, string>();
  readonly #listeners = new Set<(change: LocalChange) => void>();
  /** Verdicts from before the restart whose checks have not been declared again yet. */
  readonly #remembered = new Map<string, LocalVerdict>();
  #mutations: Promise<unknown> = Promise.resolve();

  constructor(deps: LocalStateDeps) {
    this.#files = deps.files;
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  /** Reads what an earlier run has left. To be called once, before anything else. @throws AppError of StateFiles. */
  async load(): Promise<void> {
    const { services, checks, verdicts, problems } = await this.#files.load();
    for (const problem of problems) this.#log.error('a state file could not be used', { problem });
    // Nobody looked while the agent was away: how long a check has been critical is counted anew.
    for (const [key, { status, output }] of verdicts) {
      this.#remembered.set(key, this.#verdict(status, output, undefined));
    }
    for (const service of services) this.#services.set(localKey(service.namespace, service.instance.ID), service);
    for (const declaration of checks) {
      const key = localKey(declaration.namespace, declaration.checkId);
      if (declaration.serviceId && !this.#services.has(localKey(declaration.namespace, declaration.serviceId))) {
        this.#log.warn('a check of a service that is gone was dropped', { check: declaration.checkId });
        await this.#files.saveCheck(key, undefined);
        continue;
      }
      const verdict = this.#remembered.get(key) ?? this.#verdict('critical', '', undefined);
      this.#put(key, { ...declaration, ...verdict });
    }
  }

  onChange(listener: (change: LocalChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Services of a namespace that this agent owns, by id. */
  services(namespace?: string): LocalService[] {
    const all = [...this.#services.values()];
    return namespace === undefined ? all : all.filter((service) => service.namespace === namespace);
  }

  service(namespace: string, id: string): LocalService | undefined {
    return this.#services.get(localKey(namespace, id));
  }

  serviceByKey(key: string): LocalService | undefined {
    return this.#services.get(key);
  }

  /** Every check, assigned ones too. */
  checks(): IterableIterator<LocalCheck> {
    return this.#checks.values();
  }

  check(key: string): LocalCheck | undefined {
    return this.#checks.get(key);
  }

  /** Checks of an instance in order of their ids; those of the node itself for the id ''. */
  checksOf(namespace: string, serviceId: string): LocalCheck[] {
    const keys = this.#checksByService.get(localKey(namespace, serviceId));
    return [...keys].sort().map((key) => this.#checks.get(key)!);
  }

  /** Adds or replaces a service with checks; further checks of it go only with `replaceExistingChecks`. */
  registerService(
    service: LocalService,
    checks: readonly CheckToRegister[],
    options: { replaceExistingChecks: boolean },
  ): Promise<void> {
    return this.#serially(async () => {
      const { namespace, instance } = service;
      const key = localKey(namespace, instance.ID);
      // What the configuration declares needs no file, and takes the place of what a client had registered.
      if (service.origin === 'api') await this.#files.saveService(key, service);
      else if (this.#services.get(key)?.origin === 'api') await this.#files.saveService(key, undefined);
      for (const { declaration } of checks) await this.#saveDeclaration(declaration);
      const replaced = options.replaceExistingChecks ? this.#ownChecksBesides(service, checks) : [];
      for (const check of replaced) await this.#forgetDeclaration(check);
      // From here on nothing waits: nobody may see the service with a part of its checks.
      this.#services.set(key, service);
      const verdicts = new Map<string, LocalVerdict | undefined>();
      const changes = checks.map((check) => this.#apply(check, verdicts));
      for (const check of replaced) changes.push(this.#forget(localKey(namespace, check.checkId), verdicts));
      for (const change of changes) if (change) this.#emit(change);
      this.#emit({ kind: 'service', key });
      await this.#persist(verdicts);
    });
  }

  /** Removes a service with its checks. False when there is none. */
  deregisterService(namespace: string, id: string): Promise<boolean> {
    return this.#serially(async () => {
      const key = localKey(namespace, id);
      const service = this.#services.get(key);
      if (!service) return false;
      await this.#files.saveService(key, undefined);
      this.#services.delete(key);
      for (const check of this.checksOf(namespace, id)) {
        if (check.origin !== 'assigned') await this.#remove(localKey(namespace, check.checkId));
      }
      this.#emit({ kind: 'service', key });
      return true;
    });
  }

  registerCheck(check: CheckToRegister): Promise<void> {
    return this.#serially(() => this.#register(check));
  }

  /** False when there is no such check of this agent. */
  deregisterCheck(namespace: string, id: string): Promise<boolean> {
    return this.#serially(async () => {
      const key = localKey(namespace, id);
      const check = this.#checks.get(key);
      if (!check || check.origin === 'assigned') return false;
      await this.#remove(key);
      return true;
    });
  }

  /** Replaces the checks that others have declared for this node. */
  setAssigned(assigned: readonly AssignedCheck[]): void {
    const wanted = new Map(assigned.map((check) => [localKey(check.Namespace, check.CheckID), check]));
    const forgotten = new Map<string, undefined>();
    for (const [key, check] of [...this.#checks]) {
      if (check.origin !== 'assigned' || wanted.has(key)) continue;
      forgotten.set(key, undefined);
      this.#emit(this.#drop(key));
    }
    for (const key of this.#remembered.keys()) {
      if (!wanted.has(key) && !this.#checks.has(key)) forgotten.set(key, undefined);
    }
    for (const key of forgotten.keys()) this.#remembered.delete(key);
    if (forgotten.size > 0) void this.#persist(forgotten);
    const fresh = [...wanted].filter(([key]) => !this.#checks.has(key)).length;
    for (const [key, check] of wanted) this.#assign(key, check, fresh);
  }

  /** The state half of a check as its runner found it. Resolves when it would survive a crash. */
  setVerdict(key: string, status: CheckStatus, output: string): Promise<void> {
    const check = this.#checks.get(key);
    if (!check || (check.status === status && check.output === output)) return Promise.resolve();
    const verdict = this.#verdict(status, output, check);
    const { criticalSinceMs: _, ...rest } = check;
    this.#checks.set(key, { ...rest, ...verdict });
    // The first verdict of a run is news even if the status stays: until then the catalog says that there is none yet.
    const first = !this.#judged.has(key);
    this.#judged.add(key);
    this.#emit({ kind: 'verdict', key, statusChanged: first || check.status !== status });
    return this.#persist(new Map([[key, verdict]]));
  }

  /** Resolves when every verdict given up to now would survive a crash. */
  saved(): Promise<void> {
    return this.#persist(new Map());
  }

  async #register(check: CheckToRegister): Promise<void> {
    await this.#saveDeclaration(check.declaration);
    const verdicts = new Map<string, LocalVerdict | undefined>();
    const change = this.#apply(check, verdicts);
    if (change) this.#emit(change);
    await this.#persist(verdicts);
  }

  async #saveDeclaration(declaration: LocalCheckDeclaration): Promise<void> {
    const key = localKey(declaration.namespace, declaration.checkId);
    if (declaration.origin === 'api') await this.#files.saveCheck(key, declaration);
    else if (this.#checks.get(key)?.origin === 'api') await this.#files.saveCheck(key, undefined);
  }

  async #forgetDeclaration(check: LocalCheckDeclaration): Promise<void> {
    if (check.origin !== 'config') await this.#files.saveCheck(localKey(check.namespace, check.checkId), undefined);
  }

  #ownChecksBesides({ namespace, instance }: LocalService, checks: readonly CheckToRegister[]): LocalCheck[] {
    const kept = new Set(checks.map(({ declaration }) => localKey(namespace, declaration.checkId)));
    return this.checksOf(namespace, instance.ID).filter(
      (check) => check.origin !== 'assigned' && !kept.has(localKey(namespace, check.checkId)),
    );
  }

  /**
   * Puts a check in place with the state that is known now; a runner may have found it while files were written. Adds
   * that state to `verdicts`; gives what its listeners are to hear.
   */
  #apply(check: CheckToRegister, verdicts: Map<string, LocalVerdict | undefined>): LocalChange | undefined {
    const { declaration, status, output, keepState } = check;
    const key = localKey(declaration.namespace, declaration.checkId);
    const old = this.#checks.get(key);
    const known = keepState ? (old ?? this.#remembered.get(key)) : undefined;
    const verdict = this.#verdict(known?.status ?? status, known?.output ?? output, known);
    const unchanged = old && known && canonicalJson(declarationOf(old)) === canonicalJson(declaration);
    this.#put(key, { ...declaration, ...verdict });
    verdicts.set(key, verdict);
    // A TTL starts anew with each registration; other runners of an unchanged definition go on undisturbed.
    if (unchanged && old.type !== 'ttl') return undefined;
    return checkChange(key, declaration, { prompt: old !== undefined, crowd: 1 });
  }

  #assign(key: string, assigned: AssignedCheck, crowd: number): void {
    const old = this.#checks.get(key);
    if (old && old.origin !== 'assigned') return;
    const known = old ?? this.#remembered.get(key);
    const verdict = known ?? this.#verdict(assigned.Status, assigned.Output, undefined);
    const check: LocalCheck = {
      namespace: assigned.Namespace || DEFAULT_NAMESPACE,
      checkId: assigned.CheckID,
      name: assigned.Name,
      notes: '',
      serviceId: assigned.ServiceID,
      serviceName: assigned.ServiceName,
      type: '',
      interval: assigned.Definition.Interval ?? '',
      timeout: assigned.Definition.Timeout ?? '',
      definition: assigned.Definition,
      definitionIndex: assigned.DefinitionIndex,
      origin: 'assigned',
      status: verdict.status,
      output: verdict.output,
      ...(verdict.criticalSinceMs === undefined ? {} : { criticalSinceMs: verdict.criticalSinceMs }),
    };
    const sameDefinition = old && canonicalJson(old.definition) === canonicalJson(assigned.Definition);
    this.#put(key, check);
    if (!sameDefinition) this.#emit(checkChange(key, check, { prompt: old !== undefined || !known, crowd }));
    // The catalog lacks what this agent knows: the check was declared anew, or a report was lost.
    if (known && (known.status !== assigned.Status || known.output !== assigned.Output)) {
      this.#emit({ kind: 'verdict', key, statusChanged: known.status !== assigned.Status });
    }
  }

  async #remove(key: string): Promise<void> {
    const check = this.#checks.get(key);
    if (!check) return;
    await this.#forgetDeclaration(check);
    const verdicts = new Map<string, LocalVerdict | undefined>();
    this.#emit(this.#forget(key, verdicts));
    await this.#persist(verdicts);
  }

  /** Takes a check and its state away; gives what its listeners are to hear. */
  #forget(key: string, verdicts: Map<string, LocalVerdict | undefined>): LocalChange {
    this.#remembered.delete(key);
    verdicts.set(key, undefined);
    return this.#drop(key);
  }

  #drop(key: string): LocalChange {
    const check = this.#checks.get(key)!;
    this.#checks.delete(key);
    this.#judged.delete(key);
    this.#checksByService.delete(localKey(check.namespace, check.serviceId), key);
    return checkChange(key, check, { prompt: false, crowd: 1 });
  }

  #put(key: string, check: LocalCheck): void {
    const old = this.#checks.get(key);
    if (old) this.#checksByService.delete(localKey(old.namespace, old.serviceId), key);
    this.#checks.set(key, check);
    this.#checksByService.add(localKey(check.namespace, check.serviceId), key);
  }

  #verdict(status: CheckStatus, output: string, before: LocalVerdict | undefined): LocalVerdict {
    if (status !== 'critical') return { status, output };
    return { status, output, criticalSinceMs: before?.criticalSinceMs ?? this.#clock.monotonic() };
  }

  async #persist(verdicts: ReadonlyMap<string, LocalVerdict | undefined>): Promise<void> {
    try {
      await this.#files.saveVerdicts(verdicts);
    } catch (error) {
      // The state in memory goes on; only a restart would miss this, and the next run finds it anew.
      this.#log.error('check states could not be saved', { text: errorText(error) });
    }
  }

  #emit(change: LocalChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  /** One change of the declared state at a time, so that files and memory agree. */
  #serially<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#mutations.then(work);
    this.#mutations = result.catch(() => {});
    return result;
  }
}

function checkChange(key: string, check: LocalCheckDeclaration, how: { prompt: boolean; crowd: number }): LocalChange {
  const serviceKey = check.serviceId === '' ? undefined : localKey(check.namespace, check.serviceId);
  return { kind: 'check', key, origin: check.origin, serviceKey, ...how };
}
