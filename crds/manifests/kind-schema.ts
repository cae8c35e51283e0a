import { existsSync, readFileSync } from 'node:fs';
import { AppError } from '../../core/errors.ts';
import type { StructuralSchema } from '../structural-schema.ts';
import { OBJECT_META_SCHEMA } from './object-meta-schema.ts';

/** Our kinds and the names of their files in crds/. */
export const KIND_FILES = { Service: 'service', HealthCheck: 'health-check', Intention: 'intention' } as const;

export type LictorKind = keyof typeof KIND_FILES;

/** apiVersion of our kinds. */
export const LICTOR_API_VERSION = 'lictor.dev/v1alpha1';

/** Where crds/schemas lies, seen from the sources and from the built JavaScript under dist/. */
const FOLDERS = ['../schemas/', '../../../crds/schemas/'];

/**
 * The schema that the file mode uses for a kind: the CustomResourceDefinition's, without status and with metadata's,
 * which the API server checks by itself.
 * @throws AppError `internal` when the installation lacks the file.
 */
export function kindSchema(kind: LictorKind): StructuralSchema {
  const root = JSON.parse(readFileSync(schemaUrl(kind), 'utf8')) as StructuralSchema;
  const { status: _, ...properties } = root.properties ?? {};
  return {
    ...root,
    required: ['apiVersion', 'kind', 'metadata', ...(root.required ?? [])],
    properties: { ...properties, metadata: OBJECT_META_SCHEMA },
  };
}

function schemaUrl(kind: LictorKind): URL {
  const name = `${KIND_FILES[kind]}.json`;
  for (const folder of FOLDERS) {
    const url = new URL(folder + name, import.meta.url);
    if (existsSync(url)) return url;
  }
  throw new AppError('internal', `crds/schemas/${name} is missing from the installation`);
}
