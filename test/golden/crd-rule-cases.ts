import { check, checkOf, external, headerMatch, permission, service, source, ttlCheck } from './crd-bad-objects.ts';

/** Objects that one CEL rule accepts and refuses; all of them are right in every other respect. */
export interface RuleCase {
  /** Kind, place in the schema (`[]` for list entries) and message of the rule. */
  readonly rule: string;
  readonly accepts: readonly Record<string, unknown>[];
  readonly refuses: readonly Record<string, unknown>[];
}

const ADDRESS = { address: '192.0.2.1', port: 80 };

const withExpression = (fields: Record<string, unknown>) =>
  service({ selector: { matchExpressions: [{ key: 'a', ...fields }] } });

const withAddresses = (...addresses: string[]) => addresses.map((address) => external([{ address, port: 80 }]));

const pairs = (count: number, prefix: string) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`${prefix}${i}`, 'v']));

const META_KEYS = 'keys must be made of letters, digits, "_" and "-" and be at most 128 long';

/** One row for each CEL rule of our kinds. */
export const RULE_CASES: readonly RuleCase[] = [
  {
    rule: 'Service : metadata.name is no DNS label (at most 63 characters, no dot), so spec.serviceName must be set',
    accepts: [
      service({}, { name: 'web' }),
      service({}, { name: 'w'.repeat(63) }),
      service({ serviceName: 'web' }, { name: 'web.v1' }),
      service({ serviceName: 'web' }, { name: 'w'.repeat(64) }),
    ],
    refuses: [service({}, { name: 'web.v1' }), service({}, { name: 'w'.repeat(64) })],
  },
  {
    rule: 'Service spec: exactly one of spec.selector, spec.kubernetesService and spec.instances must be set',
    accepts: [service({}), service({ selector: undefined, kubernetesService: 'web' }), external([ADDRESS])],
    refuses: [
      service({ selector: undefined }),
      service({ kubernetesService: 'web' }),
      service({ instances: [ADDRESS] }),
      external([ADDRESS], { kubernetesService: 'web' }),
    ],
  },
  {
    rule: 'Service spec: each of spec.instances needs a port, unless spec.ports gives one for all',
    accepts: [
      external([{ address: '192.0.2.1' }], { ports: [{ name: 'http', port: 80 }] }),
      external([ADDRESS], { ports: [{ name: 'http', port: 80 }] }),
    ],
    refuses: [external([{ address: '192.0.2.1' }]), external([ADDRESS, { address: '192.0.2.2' }])],
  },
  {
    rule: 'Service spec: with spec.instances the port must be a number, as there is no container to look a name up in',
    accepts: [
      external([ADDRESS], { ports: [{ name: 'http', port: 80 }] }),
      service({ ports: [{ name: 'http', port: 'http' }] }),
    ],
    refuses: [
      external([ADDRESS], { ports: [{ name: 'http', port: 'http' }] }),
      external([ADDRESS], {
        ports: [
          { name: 'http', port: 80 },
          { name: 'grpc', port: 'grpc' },
        ],
      }),
    ],
  },
  {
    rule: 'Service spec: the meta of an instance and spec.meta may have at most 64 pairs together',
    accepts: [
      external([{ ...ADDRESS, meta: pairs(32, 'a') }], { meta: pairs(32, 'b') }),
      external([{ ...ADDRESS, meta: pairs(64, 'a') }]),
    ],
    refuses: [external([ADDRESS, { ...ADDRESS, id: 'b', meta: pairs(33, 'a') }], { meta: pairs(32, 'b') })],
  },
  {
    rule: 'Service spec.selector: needs matchLabels or matchExpressions; an empty selector would take every pod',
    accepts: [service({ selector: { matchLabels: { app: '' } } }), withExpression({ operator: 'Exists' })],
    refuses: [
      service({ selector: {} }),
      service({ selector: { matchLabels: {} } }),
      service({ selector: { matchLabels: {}, matchExpressions: [] } }),
    ],
  },
  {
    rule: 'Service spec.selector.matchExpressions[]: operators In and NotIn need at least one of values',
    accepts: [withExpression({ operator: 'In', values: ['b'] }), withExpression({ operator: 'NotIn', values: [''] })],
    refuses: [withExpression({ operator: 'In' }), withExpression({ operator: 'NotIn', values: [] })],
  },
  {
    rule: 'Service spec.selector.matchExpressions[]: operators Exists and DoesNotExist take no values',
    accepts: [withExpression({ operator: 'Exists' }), withExpression({ operator: 'DoesNotExist', values: [] })],
    refuses: [
      withExpression({ operator: 'Exists', values: ['b'] }),
      withExpression({ operator: 'DoesNotExist', values: [''] }),
    ],
  },
  {
    rule: 'Service spec.instances: two instances have the same id',
    accepts: [
      external([
        { ...ADDRESS, id: 'a' },
        { ...ADDRESS, id: 'b' },
        { address: '192.0.2.2', port: 80 },
      ]),
    ],
    refuses: [
      external([
        { ...ADDRESS, id: 'a' },
        { address: '192.0.2.2', port: 81, id: 'a' },
      ]),
    ],
  },
  {
    rule: 'Service spec.instances: two instances have the same address and port; remove one or give each an id',
    accepts: [
      external([ADDRESS, { ...ADDRESS, port: 81 }, { ...ADDRESS, id: 'a' }]),
      external([{ address: '192.0.2.1' }, { address: '192.0.2.2' }], { ports: [{ name: 'http', port: 80 }] }),
    ],
    refuses: [
      external([ADDRESS, ADDRESS]),
      external([{ address: '192.0.2.1' }, { address: '192.0.2.1' }], { ports: [{ name: 'http', port: 80 }] }),
    ],
  },
  {
    rule: 'Service spec.instances[].address: must be an IP address or a DNS name (without a port, a scheme or a dot at the end)',
    accepts: withAddresses(
      '127.0.0.1',
      '::1',
      '::',
      '2001:db8::1',
      '2001:DB8:0:0:0:0:0:1',
      '1:2:3:4:5:6:7::',
      '1::5:6:7:8',
      '64:ff9b::192.0.2.1',
      '::ffff:1:2:3',
      '::ffff',
      '::192.0.2.1',
      'localhost',
      'db1.example.org',
      'DB1.Example.ORG',
      '1.db.example.org',
      'xn--bcher-kva.example',
    ),
    refuses: withAddresses(
      '192.0.2.300',
      '192.0.2',
      '192.0.2.1:80',
      '192.0.2.01',
      '0x7f.1',
      '::1%eth0',
      '::ffff:192.0.2.1',
      '::FFFF:c000:201',
      '0:0:0:0:0:ffff:192.0.2.1',
      '0::ffff:192.0.2.1',
      '::0:ffff:0:0',
      '1::2::3',
      '1:2:3:4:5:6:7:8:9',
      ':::',
      '[::1]',
      '12345::',
      'db1.example.org.',
      'db_1.example.org',
      '-db.example.org',
      'db..example.org',
      'http://db',
      'db:5432',
      'bücher.example',
      ' db',
    ),
  },
  ...['spec', 'spec.instances[]'].map((place) => ({
    rule: `Service ${place}.meta: ${META_KEYS}`,
    accepts: [{}, { 'a-B_9': '' }, { ['k'.repeat(128)]: 'v' }].map((meta) => withMeta(place, meta)),
    refuses: [{ 'a.b': 'c' }, { '': 'c' }, { 'a b': 'c' }, { ['k'.repeat(129)]: 'v' }, { good: 'v', bäd: 'v' }].map(
      (meta) => withMeta(place, meta),
    ),
  })),
  {
    rule: 'HealthCheck spec: exactly one of spec.http, spec.tcp, spec.udp, spec.grpc, spec.h2ping and spec.ttl must be set',
    accepts: [check({}), ttlCheck({}), ...['tcp', 'udp', 'grpc', 'h2ping'].map((kind) => checkOf(kind))],
    refuses: [check({ http: undefined }), ...['tcp', 'udp', 'grpc', 'h2ping'].map((kind) => check({ [kind]: {} }))],
  },
  {
    rule: 'HealthCheck spec: every check but a ttl one needs an interval',
    accepts: [check({}), ttlCheck({})],
    refuses: [
      check({ interval: undefined }),
      ...['tcp', 'udp', 'grpc', 'h2ping'].map((kind) => checkOf(kind, {}, { interval: undefined })),
    ],
  },
  {
    rule: 'HealthCheck spec: a ttl check has no interval, as it is not run but reported to',
    accepts: [ttlCheck({}), check({})],
    refuses: [ttlCheck({ interval: '5s' })],
  },
  {
    rule: 'HealthCheck spec: a ttl check has no timeout, as it is not run but reported to',
    accepts: [ttlCheck({}), check({ timeout: '20s' })],
    refuses: [ttlCheck({ timeout: '5s' })],
  },
  {
    rule: 'HealthCheck spec: successBeforePassing has no effect on a ttl check, where every report is a verdict',
    accepts: [ttlCheck({ successBeforePassing: 0 }), check({ successBeforePassing: 3 })],
    refuses: [ttlCheck({ successBeforePassing: 1 })],
  },
  {
    rule: 'HealthCheck spec: failuresBeforeCritical has no effect on a ttl check, where every report is a verdict',
    accepts: [ttlCheck({ failuresBeforeCritical: 0 }), check({ failuresBeforeCritical: 3 })],
    refuses: [ttlCheck({ failuresBeforeCritical: 1 })],
  },
  {
    rule: 'HealthCheck spec: must not be greater than failuresBeforeCritical',
    accepts: [
      check({ failuresBeforeWarning: 3, failuresBeforeCritical: 3 }),
      check({ failuresBeforeWarning: 0 }),
      check({ failuresBeforeCritical: 3 }),
    ],
    refuses: [check({ failuresBeforeWarning: 1 }), check({ failuresBeforeWarning: 4, failuresBeforeCritical: 3 })],
  },
  {
    rule: 'HealthCheck spec.http.header: names must be HTTP header names (letters, digits and "-"), at most 128 long',
    accepts: [{}, { 'X-Test': ['a', ''] }, { '!#$%&*+.^_|~-': ['a'] }, { ['h'.repeat(128)]: ['a'] }].map((header) =>
      check({ http: { header } }),
    ),
    refuses: [{ 'a b': ['a'] }, { '': ['a'] }, { 'a:': ['a'] }, { 'a\n': ['a'] }, { ['h'.repeat(129)]: ['a'] }].map(
      (header) => check({ http: { header } }),
    ),
  },
  {
    rule: 'HealthCheck spec.ttl: must be at least 1s and at most 168h',
    accepts: ['1s', '1000ms', '0.5s500ms', '168h', '1h30m', '10079m60s'].map((ttl) => ttlCheck({ ttl })),
    refuses: ['0s', '999ms', '999999999ns', '168h1ns', '9999999h', '99999999999999999999h'].map((ttl) =>
      ttlCheck({ ttl }),
    ),
  },
  {
    rule: 'HealthCheck spec.interval: must be at least 1s and at most 168h',
    accepts: ['1s', '1000000us', '1.5s', '168h', '0h1m0s'].map((interval) => check({ interval })),
    refuses: ['0s', '999.999999ms', '0.999999999s', '168.0001h', '2562048h'].map((interval) => check({ interval })),
  },
  {
    rule: 'HealthCheck spec.timeout: must be at least 1ms and at most 168h',
    accepts: ['1ms', '1000us', '0.001s', '168h', '20s'].map((timeout) => check({ timeout })),
    refuses: ['0s', '999us', '0.9ms', '168h1s'].map((timeout) => check({ timeout })),
  },
  {
    rule: 'HealthCheck spec.deregisterCriticalServiceAfter: must be at least 1m and at most 720h',
    accepts: ['1m', '60s', '720h'].map((after) => check({ deregisterCriticalServiceAfter: after })),
    refuses: ['59s', '59.999s', '720h1s', '0s'].map((after) => check({ deregisterCriticalServiceAfter: after })),
  },
  {
    rule: 'Intention spec.sources[]: exactly one of action and permissions must be set; action is for every connection',
    accepts: [source({ action: 'deny' }), permission({ http: { pathPrefix: '/' } })],
    refuses: [source({}), source({ action: 'deny', permissions: [{ action: 'allow', http: { methods: ['GET'] } }] })],
  },
  {
    rule: 'Intention spec.sources[].permissions[]: needs http or jwt; for every request use the action of the source',
    accepts: [
      permission({ http: { methods: ['GET'] } }),
      permission({ jwt: { providers: [{ name: 'okta' }] } }),
      permission({ http: { methods: ['GET'] }, jwt: { providers: [{ name: 'okta' }] } }),
    ],
    refuses: [permission({})],
  },
  {
    rule: 'Intention spec.sources[].permissions[].http: needs a path, a header or methods',
    accepts: [
      { pathExact: '/' },
      { pathPrefix: '/' },
      { pathRegex: '/a.*' },
      { methods: ['GET'] },
      { header: [{ name: 'a', present: true }] },
    ].map((http) => permission({ http })),
    refuses: [permission({ http: {} })],
  },
  {
    rule: 'Intention spec.sources[].permissions[].http: at most one of pathExact, pathPrefix and pathRegex may be set',
    accepts: [permission({ http: { pathExact: '/', methods: ['GET'] } })],
    refuses: [
      { pathExact: '/', pathPrefix: '/' },
      { pathExact: '/', pathRegex: '/' },
      { pathPrefix: '/', pathRegex: '/', methods: ['GET'] },
    ].map((http) => permission({ http })),
  },
  {
    rule:
      'Intention spec.sources[].permissions[].http.header[]: exactly one of present, exact, prefix, suffix, contains and ' +
      'regex is needed',
    accepts: [
      { present: true },
      { exact: 'a' },
      { prefix: 'a' },
      { suffix: 'a' },
      { contains: 'a', invert: true },
      { regex: 'a' },
    ].map(headerMatch),
    refuses: [{}, { invert: true }, { exact: 'a', prefix: 'a' }, { present: true, regex: 'a' }].map(headerMatch),
  },
  {
    rule: 'Intention spec.sources[].permissions[].http.header[]: must be true; for a header that is not there add invert',
    accepts: [
      headerMatch({ present: true }),
      headerMatch({ present: true, invert: true }),
      headerMatch({ exact: 'a' }),
    ],
    refuses: [headerMatch({ present: false }), headerMatch({ present: false, invert: true })],
  },
  {
    rule: 'Intention spec.sources[].permissions[].http.header[]: goes with exact, prefix, suffix and contains only',
    accepts: [
      { exact: 'a', ignoreCase: true },
      { contains: 'a', ignoreCase: true },
      { regex: 'a', ignoreCase: false },
    ].map(headerMatch),
    refuses: [
      { regex: 'a', ignoreCase: true },
      { present: true, ignoreCase: true },
    ].map(headerMatch),
  },
];

function withMeta(place: string, meta: Record<string, unknown>): Record<string, unknown> {
  return place === 'spec' ? service({ meta }) : external([{ ...ADDRESS, meta }]);
}
