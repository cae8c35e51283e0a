import { type AliasedCheck, type AliasedState, AliasWatch } from './alias-watch.ts';

const plan = { kind: 'alias', service: 'web', node: '', outputMaxBytes: 4096 } as const;

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

function resultOf(checks: AliasedCheck[], services?: string[]) {
  const { fake } = state(checks, services);
  let got: unknown;
  new AliasWatch({ state: fake }, { nodeName: 'n1' }).follow(plan, 'default', (result) => {
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

  it('follows its own service alone, and stops', () => {
    const checks = [check('a', 'passing'), check('x', 'passing', { serviceId: 'other' })];
    const { fake, change, listeners } = state(checks);
    const seen: string[] = [];
    const stop = new AliasWatch({ state: fake }, { nodeName: 'n1' }).follow(plan, 'default', (one) =>
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

  it('refuses another node by name', () => {
    const { fake } = state([]);
    const watch = new AliasWatch({ state: fake }, { nodeName: 'n1' });
    expect(() => watch.follow({ ...plan, node: 'n2' }, 'default', () => {})).toThrow(/AliasNode.*n2/);
  });
});
