import { aggregateStatus, type HealthEntry } from '../../api/shapes/catalog.ts';

/** What happened to one instance between two answers. */
export interface InstanceChange {
  readonly change: 'added' | 'changed' | 'removed';
  readonly service: string;
  readonly instance: string;
  readonly node: string;
  readonly address: string;
  readonly status: string;
  /** The first check that is not passing, and its output. */
  readonly why: string;
}

/** What is shown of an instance. */
export type Instance = Omit<InstanceChange, 'change'>;

/** The instances of an answer by node and id. */
export function instancesOf(entries: readonly HealthEntry[]): Map<string, Instance> {
  return new Map(entries.map((entry) => [`${entry.Node.Node}/${entry.Service.ID}`, instanceOf(entry)]));
}

export function instanceOf({ Node, Service, Checks }: HealthEntry): Instance {
  const status = aggregateStatus(Checks);
  const failing = Checks.find((check) => check.Status === status && status !== 'passing');
  const host = Service.Address || Node.Address;
  return {
    service: Service.Service,
    instance: Service.ID,
    node: Node.Node,
    address: `${host.includes(':') ? `[${host}]` : host}:${Service.Port}`,
    status,
    why: failing ? `${failing.Name}: ${(failing.Output || failing.Notes).split('\n')[0]!.slice(0, 100)}` : '',
  };
}

/** What turns `before` into `after`, in order of node and id. */
export function instanceChanges(
  before: ReadonlyMap<string, Instance>,
  after: ReadonlyMap<string, Instance>,
): InstanceChange[] {
  const changes: [string, InstanceChange][] = [];
  for (const [key, one] of after) {
    const old = before.get(key);
    if (!old) changes.push([key, { change: 'added', ...one }]);
    else if (JSON.stringify(old) !== JSON.stringify(one)) changes.push([key, { change: 'changed', ...one }]);
  }
  for (const [key, one] of before) if (!after.has(key)) changes.push([key, { change: 'removed', ...one }]);
  return changes.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, change]) => change);
}
