import type { AssignedCheck } from '../../api/shapes/agent-sync.ts';
import type { CheckStatus } from '../../api/shapes/catalog.ts';
import type { Clock } from '../../core/clock.ts';
import { errorText } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import { canonicalJson } from './canonical-json.ts';
import { CheckTable } from './check-table.ts';
import { DeclaredFiles } from './declared-files.ts';
import type { CheckToRegister, LocalChange, ServiceToRegister, Verdicts } from './local-changes.ts';
import { type LocalCheck, type LocalService, localKey, serviceAsDeclared } from './local-records.ts';
import type { StateFiles } from './state-files.ts';

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
  readonly #log: Logger;
  readonly #services = new Map<string, LocalService>();
  readonly #checks: CheckTable;
  readonly #listeners = new Set<(change: LocalChange) => void>();
  #mutations: Promise<unknown> = Promise.resolve();

  constructor(deps: LocalStateDeps) {
    this.#files = deps.files;
    this.#checks = new CheckTable(deps.clock);
    this.#declared = new DeclaredFiles({ ...deps, services: this.#services, checks: this.#checks.byKey });
    this.#log = deps.log;
  }

  /**
   * Reads what an earlier run has left. To be called once, before anything else; once the configuration is in place,
   * `dropOrphans` is due. @throws AppError of StateFiles.
   */
  async load(): Promise<void> {
    const { services, checks, verdicts, problems } = await this.#files.load();
    for (const problem of problems) this.#log.error('a state file could not be used', { problem });
    for (const service of services) this.#services.set(keyOf(service), service);
    this.#checks.restore(checks, verdicts);
  }

  /** Removes the checks whose services have not come back: neither the files nor the configuration have them. */
  dropOrphans(): Promise<void> {
    return this.#serially(async () => {
      for (const check of [...this.checks()]) {
        const { namespace, checkId, serviceId, origin } = check;
        const bound = serviceId !== '' && origin !== 'assigned';
        if (!bound || this.#services.has(localKey(namespace, serviceId))) continue;
        this.#log.warn('a check of a service that is gone was dropped', { check: checkId });
        await this.#remove([], [check]);
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
    return this.#checks.byKey.values();
  }

  check(key: string): LocalCheck | undefined {
    return this.#checks.byKey.get(key);
  }

  /** Checks of an instance in order of their ids; those of the node itself for the id ''. */
  checksOf(namespace: string, serviceId: string): LocalCheck[] {
    return this.#checks.of(namespace, serviceId);
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
      const verdicts: Verdicts = new Map();
      const news = services.filter((service) => !this.#isDeclared(service));
      for (const service of services) this.#putService(service);
      const changes = checks.map((check) => this.#checks.apply(check, verdicts));
      for (const check of replaced)
        changes.push(this.#checks.forget(localKey(check.namespace, check.checkId), verdicts));
      for (const change of changes) if (change) this.#emit(change);
      for (const service of news) this.#emit({ kind: 'service', key: keyOf(service) });
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

  /**
   * Removes a service with its checks and the sidecars that came with it, all or, when something cannot be saved, none.
   * False when there is none.
   */
  deregisterService(namespace: string, id: string): Promise<boolean> {
    return this.#serially(async () => {
      const service = this.#services.get(localKey(namespace, id));
      if (!service) return false;
      const services = [...this.#sidecarsOf(service), service];
      await this.#remove(services, this.#ownChecksOf(services));
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

  /** Adds or replaces a check, or, when it cannot be saved, leaves what was there. */
  registerCheck(check: CheckToRegister): Promise<void> {
    return this.#serially(() => this.#register(check));
  }

  /** False when there is no such check of this agent. */
  deregisterCheck(namespace: string, id: string): Promise<boolean> {
    return this.#serially(async () => {
      const check = this.check(localKey(namespace, id));
      if (!check || check.origin === 'assigned') return false;
      await this.#remove([], [check]);
      return true;
    });
  }

  /** Replaces the checks that others have declared for this node. */
  setAssigned(assigned: readonly AssignedCheck[]): void {
    const verdicts: Verdicts = new Map();
    for (const change of this.#checks.assign(assigned, verdicts)) this.#emit(change);
    if (verdicts.size > 0) void this.#persist(verdicts);
  }

  /** The state half of a check as its runner found it. Resolves when it would survive a crash. */
  setVerdict(key: string, status: CheckStatus, output: string): Promise<void> {
    const verdicts: Verdicts = new Map();
    const change = this.#checks.judge(key, status, output, verdicts);
    if (!change) return Promise.resolve();
    this.#emit(change);
    return this.#persist(verdicts);
  }

  /** Resolves when every verdict given up to now would survive a crash. */
  saved(): Promise<void> {
    return this.#persist(new Map());
  }

  async #register(check: CheckToRegister): Promise<void> {
    await this.#declared.save([], [check.declaration], []);
    const verdicts: Verdicts = new Map();
    const change = this.#checks.apply(check, verdicts);
    if (change) this.#emit(change);
    await this.#persist(verdicts);
  }

  /** Whether a reload says what was declared before: writing it again would revert what others have set meanwhile. */
  #isDeclared(service: LocalService): boolean {
    const known = this.#services.get(keyOf(service));
    if (service.origin !== 'config' || !known) return false;
    return canonicalJson(serviceAsDeclared(known)) === canonicalJson(service);
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

  async #remove(services: readonly LocalService[], checks: readonly LocalCheck[]): Promise<void> {
    await this.#declared.forget(services, checks);
    // From here on nothing waits: nobody may see a service with a part of its checks.
    const verdicts: Verdicts = new Map();
    for (const service of services) this.#services.delete(keyOf(service));
    const changes = checks.map(({ namespace, checkId }) => this.#checks.forget(localKey(namespace, checkId), verdicts));
    for (const change of changes) this.#emit(change);
    for (const service of services) this.#emit({ kind: 'service', key: keyOf(service) });
    await this.#persist(verdicts);
  }

  #sidecarsOf({ namespace, instance }: LocalService): LocalService[] {
    const id = instance.ID.toLowerCase();
    return this.services(namespace).filter(({ sidecarOf }) => sidecarOf?.toLowerCase() === id);
  }

  /** Checks of this agent that services have now and would no longer declare. */
  #ownChecksBesides(registrations: readonly ServiceToRegister[]): LocalCheck[] {
    const declared = registrations.flatMap(({ checks }) => checks).map(({ declaration }) => declaration);
    const kept = new Set(declared.map(({ namespace, checkId }) => localKey(namespace, checkId)));
    const known = this.#ownChecksOf(registrations.map(({ service }) => service));
    return known.filter(({ namespace, checkId }) => !kept.has(localKey(namespace, checkId)));
  }

  #ownChecksOf(services: readonly LocalService[]): LocalCheck[] {
    const checks = services.flatMap(({ namespace, instance }) => this.checksOf(namespace, instance.ID));
    return checks.filter(({ origin }) => origin !== 'assigned');
  }

  async #persist(verdicts: Readonly<Verdicts>): Promise<void> {
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

function keyOf({ namespace, instance }: LocalService): string {
  return localKey(namespace, instance.ID);
}

function sameTags(some: readonly string[], others: readonly string[]): boolean {
  return canonicalJson(some) === canonicalJson(others);
}
