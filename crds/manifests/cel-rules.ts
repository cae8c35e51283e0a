import { isIP } from 'node:net';
import { Environment } from '@marcbachmann/cel-js';
import { errorText } from '../../core/errors.ts';
import type { StructuralSchema, ValidationRule } from '../structural-schema.ts';
import type { FieldPath, FieldProblem } from './field-path.ts';

/** A CEL expression ready to run on `self`. */
type Expression = (context: { self: unknown }) => unknown;

/**
 * Runs the CEL rules of a schema (`x-kubernetes-validations`) on an object that the schema itself has accepted.
 * Expressions are compiled when first met and kept.
 */
export class CelRules {
  readonly #environment = kubernetesEnvironment();
  readonly #compiled = new Map<string, Expression>();

  /** What the rules of `schema`, and of the schemas in it, find wrong with `value`. */
  check(value: unknown, schema: StructuralSchema, path: FieldPath = []): FieldProblem[] {
    const problems: FieldProblem[] = [];
    this.#walk(value, schema, path, problems);
    return problems;
  }

  /** One rule's verdict on `self`, a value of `schema`; an expression that fails counts as not fulfilled. */
  holds(rule: ValidationRule, self: unknown, schema: StructuralSchema): { ok: boolean; error?: string } {
    try {
      return { ok: this.#compile(rule.rule)({ self: toCel(self, schema) }) === true };
    } catch (error) {
      return { ok: false, error: errorText(error) };
    }
  }

  #compile(rule: string): Expression {
    let expression = this.#compiled.get(rule);
    if (!expression) {
      expression = this.#environment.parse(rule) as Expression;
      this.#compiled.set(rule, expression);
    }
    return expression;
  }

  #walk(value: unknown, schema: StructuralSchema, path: FieldPath, into: FieldProblem[]): void {
    for (const rule of schema['x-kubernetes-validations'] ?? []) {
      if (!this.holds(rule, value, schema).ok) {
        into.push({ path: [...path, ...(rule.fieldPath?.split('.').slice(1) ?? [])], text: rule.message });
      }
    }
    if (Array.isArray(value)) {
      const { items } = schema;
      if (items) for (const [index, item] of value.entries()) this.#walk(item, items, [...path, index], into);
      return;
    }
    if (typeof value !== 'object' || value === null) return;
    for (const [field, each] of Object.entries(value)) {
      const fieldSchema = schema.properties?.[field] ?? schema.additionalProperties;
      if (fieldSchema) this.#walk(each, fieldSchema, [...path, field], into);
    }
  }
}

/** The CEL environment of a CustomResourceDefinition, as far as our rules use it (Kubernetes docs, "CEL in Kubernetes"). */
function kubernetesEnvironment(): Environment {
  return new Environment()
    .registerVariable('self', 'dyn')
    .registerFunction('isIP(string): bool', (text: string) => isKubernetesIp(text));
}

/**
 * Go's netip.ParseAddr without zones and IPv4-mapped addresses (::ffff:0:0/96), as the Kubernetes CEL library "ip" has
 * it. Node agrees with it but for those two.
 */
function isKubernetesIp(text: string): boolean {
  const version = isIP(text);
  if (version !== 6) return version === 4;
  if (text.includes('%')) return false;
  const canonical = new URL(`http://[${text}]`).hostname; // the WHATWG URL form, which is unique (RFC 5952)
  return !/^\[::ffff:[0-9a-f]{1,4}:[0-9a-f]{1,4}\]$/.test(canonical);
}

/** A JSON value as CEL sees it: whole numbers are of type int, which is a bigint in the evaluator. */
function toCel(value: unknown, schema: StructuralSchema): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
  // A list made here: the evaluator knows lists and maps by their constructors, which another realm has its own of.
  if (Array.isArray(value)) return Array.from(value, (item) => toCel(item, schema.items ?? {}));
  if (typeof value !== 'object' || value === null) return value;
  const out: Record<string, unknown> = {};
  for (const [field, each] of Object.entries(value)) {
    Object.defineProperty(out, field, {
      value: toCel(each, schema.properties?.[field] ?? schema.additionalProperties ?? {}),
      enumerable: true,
    });
  }
  return out;
}
