import type { NodeHealth } from '../../api/shapes/agent-sync.ts';
import { type AliasedCheck, type AliasedState, AliasWatch } from './alias-watch.ts';

const plan = { kind: 'alias', service: 'web', node: '', outputMaxBytes: 4096 } as const;

const NO_NODES = {
  follow: () => {
    throw new Error('asked for another node');
  },
};

function state(checks: AliasedCheck[], services = ['web']) {
  const listeners = new Set<Parameters<AliasedState['onChange']>[0]>();
  const fake: AliasedState = {
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    service: (_, id) => (services.includes(id) ? {} : undefined),
    check: (key) => checks.find((one) => key === `default/${one.name}`),
    checksOf: (_, id) => checks.filter((one) => one.serviceId === id),
  };
  const change = (key: string) => {
    for (const listener of listeners) listener({ kind: 'verdict', key });
  };
  return { fake, change, listeners };
}

const check = (name: string, status: AliasedCheck['status'], more: object = {}): AliasedCheck => ({
  name,
  type: 'tcp',
  serviceId: 'web',
  namespace: 'default',
  status,
  output: 'why',
  ...more,
});

const remote = (
  Name: string,
  Status: AliasedCheck['status'],
  ServiceID = '',
  Type = 'tcp',
): NodeHealth['Checks'][number] => ({ Namespace: 'default', ServiceID, Name, Type, Status, Output: 'why' });

function resultOf(checks: AliasedCheck[], services?: string[]) {
  const { fake } = state(checks, services);
  let got: unknown;
  new AliasWatch({ state: fake, nodes: NO_NODES }, { nodeName: 'n1' }).follow(plan, 'default', (result) => {
    got = result;
  });
  return got;
}

describe('alias watch', () => {
  it.each([
    ['nothing', [], 'passing', 'No checks found.'],
    ['passing ones', [check('a', 'passing')], 'passing', 'All checks passing.'],
    ['the worst one', [check('a', 'warning'), check('b', 'critical')], 'critical', 'Aliased check "b" failing: why'],
    ['the node', [check('n', 'critical', { serviceId: '' })], 'critical', 'Aliased check "n" failing: why'],
    ['no alias', [check('a', 'critical', { type: 'alias' })], 'passing', 'No checks found.'],
  ] as const)('takes %s into account', (_, checks, status, output) => {
    expect(resultOf([...checks])).toEqual({ status, output });
  });

  it('is critical without the service', () => {
    expect(resultOf([], [])).toEqual({ status: 'critical', output: 'Service web could not be found on node ' });
  });

  it('looks again when a check leaves its service or the node', () => {
    const checks = [check('a', 'critical'), check('n', 'passing', { serviceId: '' })];
    const { fake, listeners } = state(checks);
    const seen: string[] = [];
    new AliasWatch({ state: fake, nodes: NO_NODES }, { nodeName: 'n1' }).follow(plan, 'default', (one) =>
      seen.push(one.status),
    );
    const move = (at: number, moved: AliasedCheck, movedFrom: string) => {
      checks[at] = moved;
      for (const listener of listeners) listener({ kind: 'check', key: `default/${moved.name}`, movedFrom });
    };
    move(0, check('a', 'critical', { serviceId: 'other' }), 'default/web');
    expect(seen).toEqual(['critical', 'passing']);
    checks[1] = check('n', 'critical', { serviceId: '' });
    for (const listener of listeners) listener({ kind: 'verdict', key: 'default/n' });
    move(1, check('n', 'critical', { serviceId: 'other' }), '');
    expect(seen).toEqual(['critical', 'passing', 'critical', 'passing']);
  });

  it('follows its own service alone, and stops', () => {
    const checks = [check('a', 'passing'), check('x', 'passing', { serviceId: 'other' })];
    const { fake, change, listeners } = state(checks);
    const seen: string[] = [];
    const stop = new AliasWatch({ state: fake, nodes: NO_NODES }, { nodeName: 'n1' }).follow(plan, 'default', (one) =>
      seen.push(one.status),
    );
    change('default/x');
    expect(seen).toEqual(['passing']);
    checks[0] = check('a', 'critical');
    change('default/a');
    expect(seen).toEqual(['passing', 'critical']);
    stop();
    expect(listeners.size).toBe(0);
  });

  it.each<[string, string, Partial<NodeHealth>, string, string]>([
    ['a node', '', {}, 'passing', 'No checks found.'],
    ['a node that is not there', '', { Known: false }, 'critical', 'Node N2 could not be found'],
    [
      'a sick node',
      '',
      { Checks: [remote('serfHealth', 'critical')] },
      'critical',
      'Aliased check "serfHealth" failing: why',
    ],
    ['a node with a sick service', '', { Checks: [remote('a', 'critical', 'web')] }, 'passing', 'No checks found.'],
    ['a service', 'Web', { Checks: [remote('a', 'warning', 'web')] }, 'warning', 'Aliased check "a" failing: why'],
    ['a service beside a sick one', 'web', { Checks: [remote('a', 'critical', 'db')] }, 'passing', 'No checks found.'],
    [
      'a service on a sick node',
      'web',
      { Checks: [remote('s', 'critical')] },
      'critical',
      'Aliased check "s" failing: why',
    ],
    ['a service that is not there', 'db', {}, 'critical', 'Service db could not be found on node N2'],
    ['an alias', '', { Checks: [remote('a', 'critical', '', 'alias')] }, 'passing', 'No checks found.'],
  ])('follows on another node %s', (_, service, health, status, output) => {
    const { fake, listeners } = state([check('local', 'critical')]);
    let told: ((health: NodeHealth) => void) | undefined;
    const nodes = {
      follow: (node: string, onHealth: (health: NodeHealth) => void) => {
        expect(node).toBe('N2');
        told = onHealth;
        return () => {
          told = undefined;
        };
      },
    };
    const results: unknown[] = [];
    const watch = new AliasWatch({ state: fake, nodes }, { nodeName: 'n1' });
    const stop = watch.follow({ ...plan, node: 'N2', service }, 'default', (result) => results.push(result));
    expect(results).toEqual([]);
    told!({ Known: true, Services: [{ Namespace: 'default', ServiceID: 'web' }], Checks: [], ...health });
    expect(results).toEqual([{ status, output }]);
    stop();
    expect(told).toBeUndefined();
    expect(listeners.size).toBe(0);
  });

  it('follows its own node itself, however it is written', () => {
    const { fake } = state([check('a', 'warning')]);
    const seen: string[] = [];
    const watch = new AliasWatch({ state: fake, nodes: NO_NODES }, { nodeName: 'n1' });
    watch.follow({ ...plan, node: 'N1' }, 'default', ({ status }) => seen.push(status));
    expect(seen).toEqual(['warning']);
  });
});
