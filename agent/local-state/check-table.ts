import type { AssignedCheck } from '../../api/shapes/agent-sync.ts';
import { type CheckStatus, DEFAULT_NAMESPACE } from '../../api/shapes/catalog.ts';
import type { Clock } from '../../core/clock.ts';
import { SetMap } from '../../core/set-map.ts';
import { canonicalJson } from './canonical-json.ts';
import { type CheckToRegister, checkChange, hasMoved, type LocalChange, type Verdicts } from './local-changes.ts';
import {
  declarationOf,
  type LocalCheck,
  type LocalCheckDeclaration,
  type LocalVerdict,
  localKey,
} from './local-records.ts';

/** The checks of this node in memory, whoever has declared them. Methods that change them give what listeners are to hear. */
export class CheckTable {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #checks = new Map<string, LocalCheck>();
  /** Keys of checks that had a verdict since this process started. */
  readonly #judged = new Set<string>();
  readonly #byService = new SetMap<string, string>();
  /** Verdicts from before the restart whose checks have not been declared again yet. */
  readonly #remembered = new Map<string, LocalVerdict>();

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** By their keys. */
  get byKey(): ReadonlyMap<string, LocalCheck> {
    return this.#checks;
  }

  /** Checks of an instance in order of their ids; those of the node itself for the id ''. */
  of(namespace: string, serviceId: string): LocalCheck[] {
    const keys = this.#byService.get(localKey(namespace, serviceId));
    return [...keys].sort().map((key) => this.#checks.get(key)!);
  }

  /** What an earlier run has left. Nobody looked meanwhile: how long a check has been critical is counted anew. */
  restore(
    declarations: readonly LocalCheckDeclaration[],
    verdicts: ReadonlyMap<string, { readonly status: CheckStatus; readonly output: string }>,
  ): void {
    for (const [key, { status, output }] of verdicts) {
      this.#remembered.set(key, this.#verdict(status, output, undefined));
    }
    for (const declaration of declarations) {
      const key = localKey(declaration.namespace, declaration.checkId);
      const verdict = this.#remembered.get(key) ?? this.#verdict('critical', '', undefined);
      this.#put(key, { ...declaration, ...verdict });
    }
  }

  /**
   * Puts a check in place with the state that is known now; a runner may have found it while files were written. Adds
   * that state to `verdicts`.
   */
  apply(check: CheckToRegister, verdicts: Verdicts): LocalChange | undefined {
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
    return checkChange(key, declaration, { prompt: old !== undefined, crowd: 1, old });
  }

  /** Takes a check and its state away. */
  forget(key: string, verdicts: Verdicts): LocalChange {
    this.#remembered.delete(key);
    verdicts.set(key, undefined);
    return this.#drop(key);
  }

  /** Replaces the checks that others have declared for this node. Adds to `verdicts` those of which nothing is left. */
  assign(assigned: readonly AssignedCheck[], verdicts: Verdicts): LocalChange[] {
    const wanted = new Map(assigned.map((check) => [localKey(check.Namespace, check.CheckID), check]));
    const changes: LocalChange[] = [];
    for (const [key, check] of [...this.#checks]) {
      if (check.origin === 'assigned' && !wanted.has(key)) changes.push(this.forget(key, verdicts));
    }
    for (const key of [...this.#remembered.keys()]) {
      if (wanted.has(key) || this.#checks.has(key)) continue;
      this.#remembered.delete(key);
      verdicts.set(key, undefined);
    }
    const fresh = [...wanted].filter(([key]) => !this.#checks.has(key)).length;
    for (const [key, check] of wanted) changes.push(...this.#assignOne(key, check, fresh));
    return changes;
  }

  /** The state half of a check as its runner found it; undefined when that is no news. */
  judge(key: string, status: CheckStatus, output: string, verdicts: Verdicts): LocalChange | undefined {
    const check = this.#checks.get(key);
    if (!check || (check.status === status && check.output === output)) return undefined;
    const verdict = this.#verdict(status, output, check);
    const { criticalSinceMs: _, ...rest } = check;
    this.#checks.set(key, { ...rest, ...verdict });
    verdicts.set(key, verdict);
    // The first verdict of a run is news even if the status stays: until then the catalog says that there is none yet.
    const first = !this.#judged.has(key);
    this.#judged.add(key);
    return { kind: 'verdict', key, statusChanged: first || check.status !== status };
  }

  #assignOne(key: string, assigned: AssignedCheck, crowd: number): LocalChange[] {
    const old = this.#checks.get(key);
    if (old && old.origin !== 'assigned') return [];
    const known = old ?? this.#remembered.get(key);
    const check = assignedCheck(assigned, known ?? this.#verdict(assigned.Status, assigned.Output, undefined));
    const sameDefinition = old && canonicalJson(old.definition) === canonicalJson(assigned.Definition);
    this.#put(key, check);
    const changes: LocalChange[] = [];
    if (!sameDefinition || hasMoved(old, check)) {
      changes.push(checkChange(key, check, { prompt: old !== undefined || !known, crowd, old }));
    }
    // The catalog lacks what this agent knows: the check was declared anew, or a report was lost.
    if (known && (known.status !== assigned.Status || known.output !== assigned.Output)) {
      changes.push({ kind: 'verdict', key, statusChanged: known.status !== assigned.Status });
    }
    return changes;
  }

  #drop(key: string): LocalChange {
    const check = this.#checks.get(key)!;
    this.#checks.delete(key);
    this.#judged.delete(key);
    this.#byService.delete(localKey(check.namespace, check.serviceId), key);
    return checkChange(key, check, { prompt: false, crowd: 1 });
  }

  #put(key: string, check: LocalCheck): void {
    const old = this.#checks.get(key);
    if (old) this.#byService.delete(localKey(old.namespace, old.serviceId), key);
    this.#checks.set(key, check);
    this.#byService.add(localKey(check.namespace, check.serviceId), key);
  }

  #verdict(status: CheckStatus, output: string, before: LocalVerdict | undefined): LocalVerdict {
    if (status !== 'critical') return { status, output };
    return { status, output, criticalSinceMs: before?.criticalSinceMs ?? this.#clock.monotonic() };
  }
}

function assignedCheck(assigned: AssignedCheck, verdict: LocalVerdict): LocalCheck {
  return {
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
}
