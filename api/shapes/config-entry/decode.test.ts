import { checkConfigEntry, decodeConfigEntry } from './decode.ts';

describe('null in a configuration entry', () => {
  it.each([
    { Kind: 'api-gateway', Name: 'g', Listeners: [null] },
    { Kind: 'service-defaults', Name: 'web', UpstreamConfig: { Overrides: [null], Defaults: null } },
    { Kind: 'ingress-gateway', Name: 'g', Listeners: [null, { Services: [null] }] },
    { Kind: 'service-resolver', Name: 'web', Subsets: { v1: null }, Failover: { '*': null } },
    { Kind: 'http-route', Name: 'r', Rules: [null, { Matches: [null], Services: [null] }] },
    { Kind: 'service-intentions', Name: 'web', Sources: [null] },
  ])('stands for an empty object in a list or map: $Kind', (given) => {
    const entry = decodeConfigEntry(given);
    // Whether it makes sense is another question; it has an answer.
    let refusal: unknown;
    try {
      checkConfigEntry(entry);
    } catch (error) {
      refusal = error;
    }
    expect(refusal ?? { code: 'badRequest' }).toMatchObject({ code: 'badRequest' });
  });

  it('has the objects that are always there', () => {
    const entry = decodeConfigEntry({ Kind: 'api-gateway', Name: 'g', Listeners: [null] });
    expect(entry).toMatchObject({ Listeners: [{ TLS: {} }] });
  });
});

describe('a key that is not known', () => {
  it('is refused by name, unless it says nothing: newer clients send what they do not use', () => {
    const Rules = [{ Filters: { ExtProc: null, ExtAuthz: null }, Services: [{ Name: 'web', Limits: {} }] }];
    expect(decodeConfigEntry({ Kind: 'http-route', Name: 'r', Rules })).not.toHaveProperty('Rules[0].Filters.ExtProc');
    const gateway = { Kind: 'api-gateway', Name: 'g', TLS: { Enabled: false, SDS: null }, Listeners: [] };
    expect(decodeConfigEntry(gateway)).not.toHaveProperty('TLS');
    expect(() => decodeConfigEntry({ ...gateway, TLS: { Enabled: true } })).toThrow(/invalid config key "TLS"/);
    expect(() => decodeConfigEntry({ ...gateway, Defaults: { MaxConnections: 1 } })).toThrow(/"Defaults"/);
  });
});

describe('the form in which a configuration entry is shown', () => {
  // As Consul's Go client decodes it: durations without a spelling of their own are nanoseconds.
  it('has the durations of cookies and of filters of routes as nanoseconds', () => {
    const cookies = decodeConfigEntry({
      Kind: 'service-resolver',
      Name: 'web',
      ConnectTimeout: '5s',
      LoadBalancer: {
        Policy: 'maglev',
        HashPolicies: [{ Field: 'cookie', FieldValue: 'c', CookieConfig: { TTL: '20s', Path: '/' } }],
      },
    });
    expect(cookies).toMatchObject({
      ConnectTimeout: '5s',
      LoadBalancer: { HashPolicies: [{ CookieConfig: { TTL: 20e9, Path: '/' } }] },
    });
    const filters = { TimeoutFilter: { RequestTimeout: '10s', IdleTimeout: 2e9 } };
    const route = decodeConfigEntry({ Kind: 'http-route', Name: 'r', Rules: [{ Filters: filters }] });
    expect(route).toMatchObject({
      Rules: [{ Filters: { TimeoutFilter: { RequestTimeout: 10e9, IdleTimeout: 2e9 } } }],
    });
  });

  it('has what the rules of a route were given, and no more', () => {
    const rules = [{ Filters: { URLRewrite: { Path: 'def' } }, Services: [{ Name: 'web' }] }];
    const route = decodeConfigEntry({ Kind: 'http-route', Name: 'r', Rules: rules }) as { Rules?: object[] };
    expect(route.Rules).toEqual([
      {
        Filters: { URLRewrite: { Path: 'def' } },
        ResponseFilters: {},
        Services: [{ Name: 'web', Weight: 1, Filters: {}, ResponseFilters: {} }],
      },
    ]);
  });

  it('takes all hosts for a service of an ingress gateway, unless a certificate would have to name them', () => {
    const gateway = (more: object, ofListener: object = {}) => {
      const services = [{ Name: 'web', Hosts: ['*'] }];
      const listener = { Port: 8080, Protocol: 'http', Services: services, ...ofListener };
      return () =>
        checkConfigEntry(decodeConfigEntry({ Kind: 'ingress-gateway', Name: 'g', Listeners: [listener], ...more }));
    };
    const secure = { TLS: { Enabled: true } };
    for (const taken of [gateway({}), gateway(secure, { TLS: { Enabled: false } })]) expect(taken).not.toThrow();
    for (const refused of [gateway(secure), gateway({}, secure)]) expect(refused).toThrow(/Host '\*' is not allowed/);
  });

  it('has all limits of an ingress gateway as soon as there are defaults', () => {
    const gateway = { Kind: 'ingress-gateway', Name: 'g', Defaults: { MaxConnections: 2048 } };
    expect(decodeConfigEntry(gateway)).toMatchObject({
      Defaults: { MaxConnections: 2048, MaxPendingRequests: 0, MaxConcurrentRequests: 0 },
    });
    expect(decodeConfigEntry({ Kind: 'ingress-gateway', Name: 'g' })).not.toHaveProperty('Defaults');
  });
});
