import { Ajv, type ValidateFunction } from 'ajv';
import { AppError } from '../../core/errors.ts';
import { checkKind, isNamespaced } from './accepted-kinds.ts';
import { type FieldPath, type FieldProblem, formatPath } from './field-path.ts';
import { OBJECT_META_SCHEMA, SERVER_META_FIELDS } from './object-meta-schema.ts';
import { type ParsedDocument, parseDocuments } from './parse-documents.ts';
import { toProblems } from './schema-problems.ts';
import { toJsonSchema } from './to-json-schema.ts';
import { isLictorObject, type KubernetesObject, validateObject } from './validate-object.ts';

/** The namespace of an object that names none. */
const DEFAULT_NAMESPACE = 'default';

/** Most problems listed in one error. */
const LISTED_PROBLEMS = 50;

/** A text with manifests, and the name under which it is reported. */
export interface ManifestFile {
  readonly file: string;
  readonly text: string;
}

/** A valid object: defaults filled in, `metadata.namespace` set when its kind has one. */
export interface ManifestObject {
  readonly object: KubernetesObject;
  readonly file: string;
  readonly line: number;
}

/** One thing that is wrong: where, with what object, at which field, and what would be right. */
export interface ManifestProblem {
  readonly file: string;
  readonly line: number;
  /** `Service shop/web`; absent when the document could not be read that far. */
  readonly subject?: string;
  /** `spec.ports[1].name`; absent when the document as a whole is meant. */
  readonly field?: string;
  readonly text: string;
}

/** What a set of manifests holds. With any problem the set as a whole is not fit for use; the objects are the good ones. */
export interface LoadedManifests {
  readonly objects: readonly ManifestObject[];
  readonly problems: readonly ManifestProblem[];
}

/** Loads one file. See loadManifests. */
export function loadManifest(text: string, file: string): LoadedManifests {
  return loadManifests([{ file, text }]);
}

/**
 * Parses and validates manifests: every document of every file, all problems at once. Our kinds are validated as the API
 * server would; the core kinds of `accepted-kinds.ts` only as to their metadata; other kinds are problems, and so are
 * two documents for the same object.
 */
export function loadManifests(files: Iterable<ManifestFile>): LoadedManifests {
  const objects: ManifestObject[] = [];
  const problems: ManifestProblem[] = [];
  const first = new Map<string, ManifestObject>();
  for (const { file, text } of files) {
    const parsed = parseDocuments(text);
    for (const problem of parsed.problems) problems.push({ file, ...problem });
    for (const document of parsed.documents) {
      for (const part of listItems(document)) {
        const found = loadObject(part, file);
        problems.push(...found.problems);
        if (!found.entry) continue;
        const same = first.get(keyOf(found.entry.object));
        if (same) problems.push(duplicate(found.entry, same));
        else {
          first.set(keyOf(found.entry.object), found.entry);
          objects.push(found.entry);
        }
      }
    }
  }
  problems.sort((a, b) => (a.file === b.file ? a.line - b.line : 0));
  return { objects, problems };
}

/** One line: `file:line: Service shop/web: spec.ports[1].name: what would be right`. */
export function formatProblem(problem: ManifestProblem): string {
  return [`${problem.file}:${problem.line}`, problem.subject, problem.field, problem.text]
    .filter((part) => part !== undefined)
    .join(': ');
}

/** The error that lists all problems, one on each line. There must be at least one. */
export function manifestError(problems: readonly ManifestProblem[]): AppError {
  const lines = problems.slice(0, LISTED_PROBLEMS).map(formatProblem);
  if (problems.length > LISTED_PROBLEMS) lines.push(`and ${problems.length - LISTED_PROBLEMS} more`);
  const { file, line } = problems[0]!;
  return new AppError('config', lines.join('\n'), { facts: { file, line, problems: problems.length } });
}

function loadObject(
  part: DocumentPart,
  file: string,
): { entry?: ManifestObject; problems: readonly ManifestProblem[] } {
  const { value } = part;
  const line = part.lineOf([]);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return {
      problems: [{ file, line, text: 'a manifest must be a mapping with apiVersion, kind, metadata and spec' }],
    };
  }
  const object = value as KubernetesObject;
  const kindProblem = checkKind(object.apiVersion, object.kind);
  const result = kindProblem ? { object, problems: [kindProblem] } : validateAny(object);
  const subject = subjectOf(result.object);
  const problems = result.problems.map((problem) => ({
    file,
    line: part.lineOf(problem.path),
    subject,
    field: formatPath(problem.path) || undefined,
    text: problem.text,
  }));
  if (problems.length > 0) return { problems };
  const { metadata } = result.object;
  if (isNamespaced(result.object.kind)) metadata.namespace ??= DEFAULT_NAMESPACE;
  return { entry: { object: result.object, file, line }, problems };
}

function validateAny(input: KubernetesObject): { object: KubernetesObject; problems: readonly FieldProblem[] } {
  if (isLictorObject(input)) {
    const result = validateObject(input);
    return result.ok ? { object: result.object, problems: [] } : { object: input, problems: result.problems };
  }
  const object = structuredClone(input);
  const metadata: unknown = object.metadata;
  if (typeof metadata === 'object' && metadata !== null) {
    for (const field of SERVER_META_FIELDS) delete (metadata as Record<string, unknown>)[field];
  }
  const matches = metadataValidator();
  return { object, problems: matches(object) ? [] : toProblems(matches.errors ?? [], object) };
}

let compiledMetadata: ValidateFunction | undefined;

/** Metadata alone, for kinds whose schema is not ours. */
function metadataValidator(): ValidateFunction {
  compiledMetadata ??= new Ajv({ allErrors: true, verbose: true, strict: false, validateSchema: false }).compile({
    type: 'object',
    required: ['metadata'],
    properties: { metadata: toJsonSchema(OBJECT_META_SCHEMA) },
  });
  return compiledMetadata;
}

interface DocumentPart {
  readonly value: unknown;
  lineOf(path: FieldPath): number;
}

/** The objects of a document: itself, or what a `List` (as `kubectl get -o yaml` writes) holds. */
function listItems(document: ParsedDocument): DocumentPart[] {
  const list = document.value as { apiVersion?: unknown; kind?: unknown; items?: unknown };
  if (list.apiVersion !== 'v1' || list.kind !== 'List' || !Array.isArray(list.items)) return [document];
  return list.items.map((value, index) => ({
    value,
    lineOf: (path) => document.lineOf(['items', index, ...path]),
  }));
}

function duplicate(entry: ManifestObject, same: ManifestObject): ManifestProblem {
  return {
    file: entry.file,
    line: entry.line,
    subject: subjectOf(entry.object),
    field: 'metadata.name',
    text: `this object is already at ${same.file}:${same.line}; remove one of the two or rename it`,
  };
}

function subjectOf(object: KubernetesObject): string | undefined {
  const { kind, metadata } = object as { kind?: unknown; metadata?: { name?: unknown; namespace?: unknown } | null };
  if (typeof kind !== 'string') return undefined;
  if (typeof metadata?.name !== 'string') return kind;
  const namespace = typeof metadata.namespace === 'string' ? metadata.namespace : DEFAULT_NAMESPACE;
  return isNamespaced(kind) ? `${kind} ${namespace}/${metadata.name}` : `${kind} ${metadata.name}`;
}

function keyOf(object: KubernetesObject): string {
  const group = object.apiVersion.includes('/') ? object.apiVersion.split('/')[0] : '';
  return JSON.stringify([group, object.kind, object.metadata.namespace ?? '', object.metadata.name]);
}
