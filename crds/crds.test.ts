import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { generateFiles } from './generate.ts';
import { OBJECT_META_SCHEMA } from './manifests/object-meta-schema.ts';
import { hasPatternText } from './manifests/pattern-texts.ts';
import type { CustomResourceDefinition } from './structural-schema.ts';
import { walkSchema } from './walk-schema.ts';

const CRDS = ['service.yaml', 'health-check.yaml', 'intention.yaml'].map(
  (file) => parse(readFileSync(new URL(file, import.meta.url), 'utf8')) as CustomResourceDefinition,
);

const PLACES = CRDS.flatMap((crd) =>
  walkSchema(crd.spec.versions[0]!.schema.openAPIV3Schema).map((place) => ({ kind: crd.spec.names.kind, ...place })),
);

const name = ({ kind, path }: (typeof PLACES)[number]) => `${kind} ${path}`;

describe('the CustomResourceDefinitions', () => {
  it.each([...generateFiles()])('%s is what make crds would write', (path, text) => {
    expect(readFileSync(new URL(path, import.meta.url), 'utf8')).toBe(text);
  });

  it('describe every field, but for metadata, which the API server describes', () => {
    const silent = PLACES.filter(({ path, schema }) => path !== 'metadata' && !schema.description);
    expect(silent.map(name)).toEqual([]);
  });

  it('bound every list, map and text of the spec, so that the cost of each rule is bounded too', () => {
    const endless = PLACES.filter(({ path, schema }) => {
      if (!path.startsWith('spec.')) return false;
      if (schema.type === 'array') return schema.maxItems === undefined;
      if (schema.type === 'string') return schema.maxLength === undefined && schema.enum === undefined;
      return schema.additionalProperties !== undefined && schema.maxProperties === undefined;
    });
    expect(endless.map(name)).toEqual([]);
  });

  it('say of every list how it is merged', () => {
    const lists = PLACES.filter(({ schema }) => schema.type === 'array' && !schema['x-kubernetes-list-type']);
    expect(lists.map(name)).toEqual([]);
  });

  it('have words for every pattern of what a manifest may set', () => {
    const places = [
      ...PLACES.filter(({ path }) => path.startsWith('spec')),
      ...walkSchema(OBJECT_META_SCHEMA, 'metadata').map((place) => ({ kind: 'any', ...place })),
    ];
    const wordless = places.filter(({ schema }) => schema.pattern !== undefined && !hasPatternText(schema.pattern));
    expect(wordless.map(name)).toEqual([]);
  });

  it('are found by kubectl get lictor', () => {
    expect(CRDS.map((crd) => crd.spec.names.categories)).toEqual([['lictor'], ['lictor'], ['lictor']]);
    expect(CRDS.map((crd) => crd.spec.names.shortNames)).toEqual([['lsvc'], ['lhc'], ['lin']]);
  });
});
