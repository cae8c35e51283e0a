import { authorize, type IntentionRule } from './authorize.ts';

const rule = (change: Partial<IntentionRule>): IntentionRule => ({
  sourceNamespace: 'default',
  source: 'web',
  destinationNamespace: 'default',
  destination: 'db',
  action: 'allow',
  permissions: 0,
  precedence: 9,
  ...change,
});
const ask = (rules: IntentionRule[], defaultPolicy: 'allow' | 'deny', service = 'web') =>
  authorize(
    { Target: 'db', ClientCertURI: `spiffe://t.consul/ns/default/dc/dc1/svc/${service}`, ClientCertSerial: '' },
    { to: () => rules },
    { namespace: 'default', defaultPolicy },
  );

describe('authorize', () => {
  it('lets the first intention that fits decide', () => {
    const rules = [rule({}), rule({ source: '*', action: 'deny', precedence: 8 })];
    expect(ask(rules, 'deny')).toEqual({
      Authorized: true,
      Reason: 'Matched L4 intention: default/web => default/db (Precedence: 9, Action: ALLOW)',
    });
    expect(ask(rules, 'allow', 'other').Authorized).toBe(false);
  });

  it('counts an intention with permissions as deny', () => {
    expect(ask([rule({ action: undefined, permissions: 2 })], 'allow').Authorized).toBe(false);
  });

  it('falls back on the default policy', () => {
    expect([ask([], 'allow').Authorized, ask([], 'deny').Authorized]).toEqual([true, false]);
  });
});
