import type { AssignedCheck } from '../../api/shapes/agent-sync.ts';
import { type CheckStatus, DEFAULT_NAMESPACE } from '../../api/shapes/catalog.ts';
import type { Clock } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import { SetMap } from '../../core/set-map.ts';
import { canonicalJson } from './canonical-json.ts';
import { DeclaredFiles } from './declared-files.ts';
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
  | {
      readonly kind: 'service';
      readonly key: string;
      /** Whether the catalog has told it, so that there is nothing to write. */
      readonly fromCatalog?: true;
    }
  | {
      readonly kind: 'check';
      readonly key: string;
      readonly origin: Origin;
      /** Key of the service it belongs to; undefined for a check of the node itself. */
      readonly serviceKey: string | undefined;
      /** Key of the service that it belonged to until now, '' for the node itself; absent when it has not moved. */
      readonly movedFrom?: string;
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

/** A service as registered, with the checks that its definition names. */
export interface ServiceToRegister {
  readonly service: LocalService;
  readonly checks: readonly CheckToRegister[];
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
  readonly #declared: DeclaredFiles;
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
    this.#declared = new DeclaredFiles({ ...deps, services: this.#services, checks: this.#checks });
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  /**
   * Reads what an earlier run has left. To be called once, before anything else; once the configuration is in place,
   * `dropOrphans` is due. @throws AppError of StateFiles.
   */
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
      const verdict = this.#remembered.get(key) ?? this.#verdict('critical', '', undefined);
      this.#put(key, { ...declaration, ...verdict });
    }
  }

  /** Removes the checks whose services have not come back: neither the files nor the configuration have them. */
  dropOrphans(): Promise<void> {
    return this.#serially(async () => {
      for (const [key, { namespace, checkId, serviceId, origin }] of [...this.#checks]) {
        const bound = serviceId !== '' && origin !== 'assigned';
        if (!bound || this.#services.has(localKey(namespace, serviceId))) continue;
        this.#log.warn('a check of a service that is gone was dropped', { check: checkId });
        await this.#remove(key);
      }
    });
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

  /**
   * Adds or replaces services with their checks, all or, when something cannot be saved, none; further checks of theirs
   * go only with `replaceExistingChecks`. `choose` is called while nothing else changes what is declared: a port that it
   * finds free stays so until it is taken.
   */
  registerServices(
    choose: () => readonly ServiceToRegister[],
    options: { replaceExistingChecks: boolean },
  ): Promise<void> {
    return this.#serially(async () => {
      const registrations = choose();
      const replaced = options.replaceExistingChecks ? this.#ownChecksBesides(registrations) : [];
      const services = registrations.map(({ service }) => service);
      const checks = registrations.flatMap((one) => one.checks);
      const declarations = checks.map(({ declaration }) => declaration);
      await this.#declared.save(services, declarations, replaced);
      // From here on nothing waits: nobody may see a service with a part of its checks.
      const verdicts = new Map<string, LocalVerdict | undefined>();
      for (const service of services) this.#putService(service);
      const changes = checks.map((check) => this.#apply(check, verdicts));
      for (const check of replaced) changes.push(this.#forget(localKey(check.namespace, check.checkId), verdicts));
      for (const change of changes) if (change) this.#emit(change);
      for (const service of services) this.#emit({ kind: 'service', key: keyOf(service) });
      await this.#persist(verdicts);
    });
  }

  /** The same for one service. */
  registerService(
    service: LocalService,
    checks: readonly CheckToRegister[],
    options: { replaceExistingChecks: boolean },
  ): Promise<void> {
    return this.registerServices(() => [{ service, checks }], options);
  }

  /** Removes a service with its checks and the sidecars that came with it. False when there is none. */
  deregisterService(namespace: string, id: string): Promise<boolean> {
    return this.#serially(async () => {
      const service = this.#services.get(localKey(namespace, id));
      if (!service) return false;
      // The service itself goes last: what fails before that can be asked for again.
      for (const one of [...this.#sidecarsOf(service), service]) await this.#removeService(one);
      return true;
    });
  }

  /**
   * Takes over the catalog's tags of a service that lets others set them there (EnableTagOverride), as if they were its
   * own: the next write of the service would revert them otherwise. It is the catalog that keeps them.
   */
  adoptTags(key: string, tags: readonly string[]): void {
    const service = this.#services.get(key);
    if (!service?.instance.EnableTagOverride || sameTags(service.instance.Tags, tags)) return;
    const { declaredTags = service.instance.Tags } = service;
    this.#services.set(key, { ...service, declaredTags, instance: { ...service.instance, Tags: [...tags] } });
    this.#emit({ kind: 'service', key, fromCatalog: true });
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
    await this.#declared.saveCheck(check.declaration);
    const verdicts = new Map<string, LocalVerdict | undefined>();
    const change = this.#apply(check, verdicts);
    if (change) this.#emit(change);
    await this.#persist(verdicts);
  }

  #putService(service: LocalService): void {
    const { origin, instance } = service;
    const known = this.#services.get(keyOf(service));
    const declaredTags = known?.declaredTags;
    // A reload says nothing new of tags that are declared as before: those that others have set stay.
    const repeated = origin === 'config' && declaredTags && sameTags(declaredTags, instance.Tags);
    const stay = known && repeated && instance.EnableTagOverride;
    const shown = stay ? { ...service, declaredTags, instance: { ...instance, Tags: known.instance.Tags } } : service;
    this.#services.set(keyOf(service), shown);
  }

  async #removeService(service: LocalService): Promise<void> {
    const key = keyOf(service);
    await this.#declared.forgetService(service);
    this.#services.delete(key);
    for (const check of this.checksOf(service.namespace, service.instance.ID)) {
      if (check.origin !== 'assigned') await this.#remove(localKey(check.namespace, check.checkId));
    }
    this.#emit({ kind: 'service', key });
  }

  #sidecarsOf({ namespace, instance }: LocalService): LocalService[] {
    const id = instance.ID.toLowerCase();
    return this.services(namespace).filter(({ sidecarOf }) => sidecarOf?.toLowerCase() === id);
  }

  /** Checks of this agent that services have now and would no longer declare. */
  #ownChecksBesides(registrations: readonly ServiceToRegister[]): LocalCheck[] {
    const declared = registrations.flatMap(({ checks }) => checks).map(({ declaration }) => declaration);
    const kept = new Set(declared.map(({ namespace, checkId }) => localKey(namespace, checkId)));
    return registrations
      .flatMap(({ service }) => this.checksOf(service.namespace, service.instance.ID))
      .filter((check) => check.origin !== 'assigned' && !kept.has(localKey(check.namespace, check.checkId)));
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
    return checkChange(key, declaration, { prompt: old !== undefined, crowd: 1, ...moved(old, declaration) });
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
    const where = moved(old, check);
    if (!sameDefinition || where) {
      this.#emit(checkChange(key, check, { prompt: old !== undefined || !known, crowd, ...where }));
    }
    // The catalog lacks what this agent knows: the check was declared anew, or a report was lost.
    if (known && (known.status !== assigned.Status || known.output !== assigned.Output)) {
      this.#emit({ kind: 'verdict', key, statusChanged: known.status !== assigned.Status });
    }
  }

  async #remove(key: string): Promise<void> {
    const check = this.#checks.get(key);
    if (!check) return;
    await this.#declared.forgetCheck(check);
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

function checkChange(
  key: string,
  check: LocalCheckDeclaration,
  how: { prompt: boolean; crowd: number; movedFrom?: string },
): LocalChange {
  return { kind: 'check', key, origin: check.origin, serviceKey: serviceKeyOf(check) || undefined, ...how };
}

function moved(old: LocalCheck | undefined, check: LocalCheckDeclaration): { movedFrom: string } | undefined {
  return old && serviceKeyOf(old) !== serviceKeyOf(check) ? { movedFrom: serviceKeyOf(old) } : undefined;
}

/** Key of the service that a check belongs to; '' for a check of the node itself. */
function serviceKeyOf({ namespace, serviceId }: LocalCheckDeclaration): string {
  return serviceId === '' ? '' : localKey(namespace, serviceId);
}

function keyOf({ namespace, instance }: LocalService): string {
  return localKey(namespace, instance.ID);
}

function sameTags(some: readonly string[], others: readonly string[]): boolean {
  return canonicalJson(some) === canonicalJson(others);
}
