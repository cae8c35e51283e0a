import { Ajv, type ValidateFunction } from 'ajv';
import type { StructuralSchema } from '../structural-schema.ts';
import { applyDefaults } from './apply-defaults.ts';
import { CelRules } from './cel-rules.ts';
import type { FieldProblem } from './field-path.ts';
import { KIND_FILES, kindSchema, LICTOR_API_VERSION, type LictorKind } from './kind-schema.ts';
import { checkUniqueness } from './list-uniqueness.ts';
import { SERVER_META_FIELDS } from './object-meta-schema.ts';
import { toProblems } from './schema-problems.ts';
import { toJsonSchema } from './to-json-schema.ts';

/** Any object with a kind and a name. */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; [field: string]: unknown };
  [field: string]: unknown;
}

/** An object of one of our kinds after validation: with defaults filled in, or with what is wrong. */
export type Validated =
  | { readonly ok: true; readonly object: KubernetesObject }
  | { readonly ok: false; readonly problems: readonly FieldProblem[] };

interface Validator {
  readonly schema: StructuralSchema;
  readonly matches: ValidateFunction;
}

const validators = new Map<LictorKind, Validator>();
let celRules: CelRules | undefined;

/** Whether the object says that it is of one of our kinds. */
export function isLictorObject(object: { apiVersion?: unknown; kind?: unknown }): boolean {
  return object.apiVersion === LICTOR_API_VERSION && Object.hasOwn(KIND_FILES, String(object.kind));
}

/**
 * Validates an object of one of our kinds as the API server would with strict field validation, by the same
 * CustomResourceDefinition: its schema, its list types and, when those hold, its CEL rules. The object is not changed:
 * a copy with the schema's defaults comes back. `status` is left out, as the API server ignores it in what is applied.
 */
export function validateObject(input: KubernetesObject): Validated {
  const { schema, matches } = validatorOf(input.kind as LictorKind);
  const object = structuredClone(input);
  delete object.status;
  const metadata: unknown = object.metadata;
  if (typeof metadata === 'object' && metadata !== null) {
    for (const field of SERVER_META_FIELDS) delete (metadata as Record<string, unknown>)[field];
  }
  applyDefaults(object, schema);
  const problems: FieldProblem[] = matches(object) ? [] : toProblems(matches.errors ?? [], object);
  problems.push(...checkUniqueness(object, schema));
  if (problems.length === 0) {
    celRules ??= new CelRules();
    problems.push(...celRules.check(object, schema));
  }
  return problems.length === 0 ? { ok: true, object } : { ok: false, problems };
}

function validatorOf(kind: LictorKind): Validator {
  let validator = validators.get(kind);
  if (!validator) {
    const schema = kindSchema(kind);
    const ajv = new Ajv({
      allErrors: true,
      verbose: true,
      strict: false,
      validateFormats: false,
      validateSchema: false,
    });
    validator = { schema, matches: ajv.compile(toJsonSchema(schema)) };
    validators.set(kind, validator);
  }
  return validator;
}
