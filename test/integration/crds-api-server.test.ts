import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { parse } from 'yaml';
import { type KubernetesObject, validateObject } from '../../crds/manifests/validate-object.ts';
import type { CustomResourceDefinition, StructuralSchema } from '../../crds/structural-schema.ts';
import { walkSchema } from '../../crds/walk-schema.ts';
import {
  BAD_OBJECTS,
  check,
  checkOf,
  external,
  headerMatch,
  intention,
  service,
  ttlCheck,
} from '../golden/crd-bad-objects.ts';
import { RULE_CASES } from '../golden/crd-rule-cases.ts';
import { describeKube } from '../support/kube/binaries.ts';
import type { Kube } from '../support/kube/kube.ts';
import { grantOperatorRights } from '../support/kube/operator-rights.ts';
import { sharedKube } from '../support/kube/shared-kube.ts';

/** How many random objects the API server and the file mode are compared on. */
const RANDOM_OBJECTS = 600;

const PLURALS: Record<string, string> = { Service: 'services', HealthCheck: 'healthchecks', Intention: 'intentions' };

const CRDS = ['service.yaml', 'health-check.yaml', 'intention.yaml'].map(
  (file) => parse(readFileSync(new URL(`../../crds/${file}`, import.meta.url), 'utf8')) as CustomResourceDefinition,
);

const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url));

type Answer = { status: number; body: { message?: string; spec?: unknown } };

describeKube('the CustomResourceDefinitions on a real API server', () => {
  let kube: Kube;
  let namespace: string;

  beforeAll(async () => {
    kube = await sharedKube();
    await kube.installCrds();
    namespace = await kube.createNamespace('crds');
  }, 180_000);

  afterAll(() => kube?.stop());

  it('takes the manifests of the operator itself', async () => {
    await grantOperatorRights(kube);
    await kube.apply(readFileSync(new URL('../../operator/deployment.yaml', import.meta.url), 'utf8'));
    const path = '/apis/apps/v1/namespaces/lictor-system/deployments/lictor-operator';
    expect(await kube.api.get(path)).toMatchObject({ spec: { replicas: 2 } });
  });

  /** What the API server says to creating the object, without keeping it. */
  function dryRun(object: Record<string, unknown>): Promise<Answer> {
    const path = `/apis/lictor.dev/v1alpha1/namespaces/${namespace}/${PLURALS[object.kind as string]}`;
    return kube.api.call('POST', `${path}?dryRun=All&fieldValidation=Strict`, object);
  }

  async function kubectl(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await kube.kubectl(args);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  it('become Established, with nothing to object to', async () => {
    for (const crd of CRDS) {
      const { status } = await kube.api.get<{ status: { conditions: { type: string; status: string }[] } }>(
        `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crd.metadata.name}`,
      );
      const states = Object.fromEntries(status.conditions.map((condition) => [condition.type, condition.status]));
      expect(states).toEqual({ NamesAccepted: 'True', Established: 'True' });
    }
  });

  it.each(readdirSync(EXAMPLES, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.yaml')))(
    'take examples/%s as it stands',
    async (file) => {
      const own = await kube.createNamespace('example');
      const yaml = readFileSync(`${EXAMPLES}/${file}`, 'utf8').replace('namespace: shop', `namespace: ${own}`);
      const { code, stderr } = await kube.kubectl(['apply', `--namespace=${own}`, '-f', '-'], { input: yaml });
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    },
  );

  it.each(BAD_OBJECTS.map((bad) => [bad.what, bad] as const))('refuse %s and name the field', async (_, bad) => {
    const { status, body } = await dryRun(bad.object);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
    expect(body.message).toContain(bad.field);
  });

  it.each(RULE_CASES.map((row) => [row.rule, row] as const))('judge as the file mode does: %s', async (_, row) => {
    const message = row.rule.slice(row.rule.indexOf(': ') + 2);
    for (const object of row.accepts) {
      expect(await dryRun(object)).toMatchObject({ status: 201 });
      expect(validateObject(object as KubernetesObject)).toMatchObject({ ok: true });
    }
    for (const object of row.refuses) {
      expect(await dryRun(object)).toMatchObject({ status: 422, body: { message: expect.stringContaining(message) } });
      expect(validateObject(object as KubernetesObject)).toMatchObject({ ok: false });
    }
  });

  it('fill in the same defaults as the file mode', async () => {
    const objects = [
      check({}),
      ttlCheck({}),
      checkOf('grpc', { tls: {} }),
      checkOf('h2ping', { tls: { enabled: false } }),
      checkOf('udp'),
      check({ http: { tls: {}, path: null } }),
      check({ http: undefined, tcp: { tls: { enabled: false } } }),
      external([
        { address: 'db', port: 1, weights: {} },
        { address: 'db', port: 2 },
      ]),
      service({ ports: [{ name: 'http', port: 'http' }] }),
      intention({}),
      headerMatch({ exact: 'a' }),
    ];
    for (const object of objects) {
      const ours = validateObject(object as KubernetesObject);
      const theirs = await dryRun(object);
      expect(theirs.status).toBe(201);
      expect(ours).toMatchObject({ ok: true, object: { spec: theirs.body.spec } });
      expect(ours.ok && ours.object.spec).toEqual(theirs.body.spec);
    }
  });

  it(`come to the same verdict as the file mode on ${RANDOM_OBJECTS} random objects`, async () => {
    const objects = fc.sample(randomObject(), { numRuns: RANDOM_OBJECTS, seed: 20_260_101 });
    const differences: unknown[] = [];
    const verdicts = { accepted: 0, refused: 0 };
    await inParallel(objects, 8, async (object) => {
      const ours = validateObject(object as KubernetesObject);
      const theirs = await dryRun(object);
      const accepted = theirs.status === 201;
      verdicts[accepted ? 'accepted' : 'refused']++;
      if (ours.ok !== accepted) differences.push({ object: JSON.stringify(object), ours, theirs: theirs.body.message });
    });
    expect(differences.slice(0, 5)).toEqual([]);
    // Either kind of verdict must have had its turn, or the comparison says little.
    expect(verdicts.accepted).toBeGreaterThan(RANDOM_OBJECTS / 10);
    expect(verdicts.refused).toBeGreaterThan(RANDOM_OBJECTS / 10);
  }, 120_000);

  it('let kubectl explain every field', async () => {
    for (const crd of CRDS) {
      const text = await kubectl('explain', crd.spec.names.shortNames[0]!, '--recursive');
      const all = walkSchema(crd.spec.versions[0]!.schema.openAPIV3Schema);
      for (const { path } of all.filter((each) => /^(spec|status)(\.|$)/.test(each.path))) {
        const field = path.split('.').at(-1)!.replace('[]', '');
        if (field !== '*') expect(text).toMatch(new RegExp(`^ *${field}\\t<`, 'm'));
      }
    }
    const one = await kubectl('explain', 'lhc.spec.http.tls.serverName');
    expect(one).toMatch(/KIND: +HealthCheck[\s\S]*FIELD: serverName <string>[\s\S]*Name that is sent \(SNI\)/);
    expect(await kubectl('explain', 'lsvc.spec.selector')).not.toContain('<no description>');
  });

  it('let kubectl get lictor show what matters', async () => {
    const shown = await kube.createNamespace('shown');
    const now = new Date().toISOString();
    const ready = { type: 'Ready', status: 'True', reason: 'Synced', message: '', lastTransitionTime: now };
    await create(shown, service({}), { serviceName: 'web', healthy: 2, total: 3, endpoints: [], conditions: [ready] });
    await create(shown, check({}), { passing: 2, warning: 0, critical: 1, conditions: [ready] });
    await create(shown, intention({}), { sources: 1, effective: 1, overriddenBy: [], conditions: [ready] });
    const lines = (await kubectl('get', 'lictor', '--namespace', shown)).trim().split('\n');
    const cells = lines.map((line) => line.trim().split(/ {2,}/));
    expect(cells).toEqual([
      ['NAME', 'SERVICE', 'PASSING', 'WARNING', 'CRITICAL', 'READY', 'AGE'],
      ['healthcheck.lictor.dev/web', 'web', '2', '0', '1', 'True', expect.stringMatching(/^\d+s$/)],
      [''],
      ['NAME', 'DESTINATION', 'SOURCES', 'READY', 'AGE'],
      ['intention.lictor.dev/web', 'db', '1', 'True', expect.stringMatching(/^\d+s$/)],
      [''],
      ['NAME', 'SERVICE NAME', 'HEALTHY', 'TOTAL', 'READY', 'AGE'],
      ['service.lictor.dev/web', 'web', '2', '3', 'True', expect.stringMatching(/^\d+s$/)],
    ]);
    const wide = await kubectl('get', 'lsvc', '--namespace', shown, '--output=wide');
    expect(wide).toMatch(/READY +REASON +AGE\n.* True +Synced /);
  });

  it('let several appliers share the sources of an Intention, each by service and peer', async () => {
    const shared = await kube.createNamespace('shared');
    const path = `/apis/lictor.dev/v1alpha1/namespaces/${shared}/intentions/db`;
    const applied = (manager: string, ...sources: object[]) =>
      kube.api.patch<{ spec: { sources: object[] } }>(
        `${path}?fieldManager=${manager}`,
        { ...intention({ sources }), metadata: { name: 'db' } },
        'apply',
      );
    await applied('one', { service: 'web', action: 'allow' });
    const { spec } = await applied('two', { service: 'web', peer: 'dc2', action: 'deny' });
    expect(spec.sources).toEqual([
      { service: 'web', peer: '', action: 'allow' },
      { service: 'web', peer: 'dc2', action: 'deny' },
    ]);
    const { status, body } = await kube.api.call<{ message: string }>(
      'PATCH',
      `${path}?fieldManager=three`,
      { ...intention({ sources: [{ service: 'web', action: 'deny' }] }), metadata: { name: 'db' } },
      'application/apply-patch+yaml',
    );
    expect({ status, message: body.message }).toEqual({ status: 409, message: expect.stringContaining('action') });
  });

  it('keep status apart from spec, and bound it', async () => {
    const kept = await kube.createNamespace('status');
    const endpoint = { address: '192.0.2.1', port: 80, node: 'n1', status: 'passing' };
    await create(kept, { ...service({}), status: { healthy: 9 } }, { healthy: 1, endpoints: Array(50).fill(endpoint) });
    const path = `/apis/lictor.dev/v1alpha1/namespaces/${kept}/services/web`;
    const object = await kube.api.get<{ metadata: { generation: number }; status: { healthy: number } }>(path);
    expect(object).toMatchObject({ metadata: { generation: 1 }, status: { healthy: 1 } });
    const tooMany = { status: { endpoints: Array(51).fill(endpoint) } };
    const answer = await kube.api.call('PATCH', `${path}/status`, tooMany, 'application/merge-patch+json');
    expect(answer).toMatchObject({ status: 422, body: { message: expect.stringContaining('status.endpoints') } });
  });

  async function create(inNamespace: string, object: Record<string, unknown>, status: object): Promise<void> {
    const path = `/apis/lictor.dev/v1alpha1/namespaces/${inNamespace}/${PLURALS[object.kind as string]}`;
    await kube.api.post(path, object);
    const { status: code } = await kube.api.call(
      'PATCH',
      `${path}/web/status`,
      { status },
      'application/merge-patch+json',
    );
    expect(code).toBe(200);
  }
});

/** Right objects with one or two random changes at places that their schema has. */
function randomObject(): fc.Arbitrary<Record<string, unknown>> {
  const start = fc.constantFrom(
    service({
      ports: [
        { name: 'http', port: 'http' },
        { name: 'grpc', port: 9090 },
      ],
      tags: ['a', 'b'],
      meta: { team: 'x' },
    }),
    service({ selector: { matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }] } }),
    service({ selector: undefined, kubernetesService: 'web', serviceName: 'shop-web' }),
    external([
      { address: '192.0.2.1', port: 80, id: 'a', tags: ['t'], meta: { a: 'b' }, weights: { passing: 1 } },
      { address: 'db', port: 81 },
    ]),
    check({ http: { path: '/x', port: 'http', header: { Host: ['a'] }, tls: { skipVerify: true } }, timeout: '2s' }),
    check({ http: undefined, tcp: { port: 80 }, failuresBeforeWarning: 1, failuresBeforeCritical: 3 }),
    checkOf('grpc', { port: 'grpc', service: 'shop.v1.Orders', tls: { serverName: 'web' } }),
    checkOf('h2ping', { port: 8443, tls: {} }),
    checkOf('udp', { port: 'dns' }, { timeout: '1s' }),
    ttlCheck({ notes: 'x', deregisterCriticalServiceAfter: '1m' }),
    intention({
      destination: { service: '*' },
      sources: [
        { service: 'web', action: 'allow', description: 'reads' },
        { service: 'web', peer: 'dc2', action: 'deny' },
        {
          service: 'report',
          permissions: [
            {
              action: 'allow',
              http: {
                pathPrefix: '/read',
                methods: ['GET', 'HEAD'],
                header: [{ name: 'X-Test', exact: 'a', ignoreCase: true }],
              },
            },
            { action: 'deny', jwt: { providers: [{ name: 'okta', verifyClaims: [{ path: ['role'], value: 'a' }] }] } },
          ],
        },
      ],
      jwt: { providers: [{ name: 'okta' }] },
    }),
  );
  return fc.tuple(start, fc.array(randomChange(), { minLength: 1, maxLength: 2 })).map(([object, changes]) => {
    const changed = structuredClone(object);
    for (const change of changes) change(changed);
    return changed;
  });
}

const LEAVES: readonly unknown[] = [
  null,
  true,
  false,
  -1,
  0,
  1,
  65535,
  65536,
  1.5,
  1e20,
  '',
  'a',
  'A',
  'a.b',
  'a/b',
  'a b',
  '80',
  '-',
  '1s',
  '1m',
  '1h2m3.5s',
  '0.5s',
  '5',
  '-1s',
  '1e3s',
  '.5s',
  '1us',
  '192.0.2.1',
  '::1',
  '::ffff:1.2.3.4',
  'a'.repeat(64),
  'é',
  '\u{1F600}'.repeat(15),
  'a\nb',
  '\u0000',
  '\u2028',
  'GET',
  'In',
  'Exists',
  '/a?b',
  '/%20',
  [],
  ['a'],
  ['a', 'a'],
  [1],
  {},
  { a: 'b' },
  { 'a b': 'c' },
  { name: 'a' },
];

/** Sets, removes or adds one field at a random place. */
function randomChange(): fc.Arbitrary<(object: Record<string, unknown>) => void> {
  return fc
    .tuple(fc.nat(), fc.nat(), fc.constantFrom(...LEAVES), fc.constantFrom('set', 'set', 'set', 'remove', 'add'))
    .map(([place, field, value, what]) => (object) => {
      const schema = CRDS.find((crd) => crd.spec.names.kind === object.kind)!.spec.versions[0]!.schema.openAPIV3Schema;
      const places = containers(object.spec, schema.properties!.spec!);
      if (places.length === 0) return;
      const [container, containerSchema] = places[place % places.length]!;
      const known = Object.keys(containerSchema.properties ?? {});
      const present = Object.keys(container);
      const names =
        what === 'remove' ? present : what === 'set' && present.length > 0 ? present : [...known, 'unknown'];
      const name = names[field % names.length];
      if (name === undefined) return;
      if (what !== 'remove') (container as Record<string, unknown>)[name] = structuredClone(value);
      else if (Array.isArray(container)) container.splice(Number(name), 1);
      else delete (container as Record<string, unknown>)[name];
    });
}

/** Every mapping and list within a value, with its schema. */
function containers(value: unknown, schema: StructuralSchema): [object, StructuralSchema][] {
  if (typeof value !== 'object' || value === null) return [];
  const inner = Array.isArray(value)
    ? value.flatMap((item) => containers(item, schema.items ?? {}))
    : Object.entries(value).flatMap(([field, each]) =>
        containers(each, schema.properties?.[field] ?? schema.additionalProperties ?? {}),
      );
  return [[value, schema], ...inner];
}

async function inParallel<T>(items: readonly T[], workers: number, run: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  await Promise.all(
    Array.from({ length: workers }, async () => {
      for (const item of queue) await run(item);
    }),
  );
}
