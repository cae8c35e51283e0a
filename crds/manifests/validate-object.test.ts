import { readdirSync, readFileSync } from 'node:fs';
import { BAD_OBJECTS, check, external, service } from '../../test/golden/crd-bad-objects.ts';
import { RULE_CASES } from '../../test/golden/crd-rule-cases.ts';
import { walkSchema } from '../walk-schema.ts';
import { formatPath } from './field-path.ts';
import { KIND_FILES, kindSchema, type LictorKind } from './kind-schema.ts';
import { loadManifests } from './load-manifests.ts';
import { type KubernetesObject, validateObject } from './validate-object.ts';

const validate = (object: object) => validateObject(object as KubernetesObject);

/** What is wrong, one line for each problem: the field and the text. */
function problemsOf(object: object): string[] {
  const result = validate(object);
  return result.ok ? [] : result.problems.map(({ path, text }) => `${formatPath(path)}: ${text}`);
}

const folder = new URL('../../examples/', import.meta.url);
const examples = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.yaml'));

describe('validateObject', () => {
  it.each(BAD_OBJECTS.map((bad) => [bad.what, bad] as const))('refuses %s and names the field', (_, bad) => {
    expect(problemsOf(bad.object).join('\n')).toContain(bad.field);
  });

  it.each(examples)('accepts examples/%s', (file) => {
    const { objects, problems } = loadManifests([{ file, text: readFileSync(new URL(file, folder), 'utf8') }]);
    expect(problems).toEqual([]);
    expect(objects).not.toEqual([]);
  });

  it('fills in the defaults of the schema, as deep as objects are given', () => {
    const result = validate(check({ http: { tls: { serverName: 'web' } } }));
    expect(result).toMatchObject({
      ok: true,
      object: {
        spec: {
          http: { path: '/', method: 'GET', disableRedirects: false, tls: { enabled: true, skipVerify: false } },
          successBeforePassing: 0,
          failuresBeforeCritical: 0,
        },
      },
    });
    expect(validate(external([{ address: 'db', port: 1, weights: { passing: 5 } }]))).toMatchObject({
      ok: true,
      object: { spec: { instances: [{ weights: { passing: 5, warning: 1 } }] } },
    });
  });

  it('takes null for a missing field, but not for a list entry', () => {
    const object = check({ http: { path: null, port: null, header: { Host: null } }, notes: null });
    expect(validate(object)).toMatchObject({ ok: true, object: { spec: { http: { path: '/', header: {} } } } });
    expect(problemsOf(check({ serviceRef: null }))).toEqual([expect.stringContaining('spec.serviceRef: is required')]);
    expect(problemsOf(check({ portt: null }))).toEqual([expect.stringContaining('spec.portt: unknown field')]);
    expect(problemsOf(service({ tags: [null] }))).toEqual(['spec.tags[0]: must be a string, not null']);
  });

  it('leaves the given object as it is', () => {
    const object = check({});
    const before = structuredClone(object);
    validate(object);
    expect(object).toEqual(before);
  });

  it('leaves out status and what the API server writes into metadata', () => {
    const object = { ...service({}, { managedFields: [{ manager: 'kubectl' }] }), status: { healthy: 'many' } };
    const result = validate(object);
    expect(result).toMatchObject({ ok: true });
    expect(result.ok && result.object).not.toHaveProperty('status');
  });

  it('refuses labels that are no strings', () => {
    expect(problemsOf(service({}, { labels: { version: 1 } }))).toEqual([
      'metadata.labels.version: must be a string, not 1; put it in quotes',
    ]);
  });

  it('reports every problem of an object, not only the first', () => {
    const object = check({ interval: '5', notes: 7, http: { path: 'x', prot: 1 } });
    expect(problemsOf(object).map((line) => line.split(':')[0])).toEqual(
      expect.arrayContaining(['spec.interval', 'spec.notes', 'spec.http.path', 'spec.http.prot']),
    );
  });

  it.each([
    ['spec.ports[0].port: must be a number or a port name', service({ ports: [{ name: 'a', port: '80' }] })],
    ['spec.interval: must be a duration such as 10s or 1m30s; not 5', check({ interval: 5 })],
    ['spec.serviceName: must be a string, not 12; put it in quotes', service({ serviceName: 12 })],
    ['spec.prots: unknown field; did you mean ports?', service({ prots: [] })],
    ['spec.serviceRef: is required (The Service whose instances are checked)', check({ serviceRef: undefined })],
    ['spec.tags[1]: is the same as entry 0; each may come once', service({ tags: ['a', 'a'] })],
  ])('says what would be right: %s', (text, object) => {
    expect(problemsOf(object).join('\n')).toContain(text);
  });

  it('stays quick on a long text that a pattern would be slow on', () => {
    const started = performance.now();
    expect(problemsOf(service({ ports: [{ name: `${'a-'.repeat(100_000)}!`, port: 80 }] }))).toHaveLength(1);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  it('takes hostile field names for what they are', () => {
    const text = '{"__proto__": {"a": 1}, "constructor": 1, "toString": 2}';
    const object = { ...service({}), spec: { ...(service({}).spec as object), ...JSON.parse(text) } };
    Object.defineProperty(object.spec, '__proto__', { value: { a: 1 }, enumerable: true });
    const fields = problemsOf(object).map((line) => line.split(':')[0]);
    expect(fields.sort()).toEqual(['spec.__proto__', 'spec.constructor', 'spec.toString']);
    expect(validate(service({ meta: JSON.parse('{"__proto__": "x", "hasOwnProperty": "y"}') }))).toMatchObject({
      ok: true,
    });
  });
});

describe('the CEL rules', () => {
  const rules = (Object.keys(KIND_FILES) as LictorKind[]).flatMap((kind) =>
    walkSchema(kindSchema(kind)).flatMap(({ path, schema }) =>
      (schema['x-kubernetes-validations'] ?? []).map((rule) => `${kind} ${path}: ${rule.message}`),
    ),
  );

  it('have a row of cases each', () => {
    expect(RULE_CASES.map((row) => row.rule).sort()).toEqual([...rules].sort());
  });

  it.each(RULE_CASES.map((row) => [row.rule, row] as const))('%s', (_, row) => {
    const message = row.rule.slice(row.rule.indexOf(': ') + 2);
    for (const object of row.accepts) expect(problemsOf(object)).toEqual([]);
    for (const object of row.refuses) expect(problemsOf(object).join('\n')).toContain(message);
  });
});
