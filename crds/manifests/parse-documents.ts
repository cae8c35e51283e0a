import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  type Tags,
} from 'yaml';
import { errorText } from '../../core/errors.ts';
import type { FieldPath } from './field-path.ts';

/** Largest file that is read: far more than any folder of hand-written manifests holds. */
export const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** How often aliases may be followed in one document, which bounds what nested anchors can grow to. */
const MAX_ALIASES = 100;

/** A value of a YAML document, with the means to say on which line a field stands. */
export interface ParsedDocument {
  readonly value: unknown;
  /** The line (from 1) of the field, or of the nearest one around it that is there. */
  lineOf(path: FieldPath): number;
}

/** Text that is not YAML. */
export interface SyntaxProblem {
  readonly line: number;
  readonly text: string;
}

/**
 * Parses YAML or JSON text of one or more documents; empty ones are left out. Scalars without
 * quotes are what kubectl takes them for (YAML 1.1): `yes`, `n` and `on` are booleans, `017` is 15. When a document is broken, what comes with it may be wrong and is not returned.
 */
export function parseDocuments(text: string): { documents: ParsedDocument[]; problems: SyntaxProblem[] } {
  if (Buffer.byteLength(text) > MAX_FILE_BYTES) {
    return {
      documents: [],
      problems: [{ line: 1, text: `the file is larger than ${MAX_FILE_BYTES} bytes; split it` }],
    };
  }
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, {
    lineCounter: lines,
    prettyErrors: false,
    merge: true,
    schema: 'yaml-1.1',
    customTags: (tags) => tags.filter(isForKubectl),
  });
  const documents: ParsedDocument[] = [];
  const problems: SyntaxProblem[] = [];
  for (const document of 'empty' in parsed ? [] : parsed) {
    const [error] = document.errors;
    if (error) {
      problems.push({ line: lines.linePos(error.pos[0]).line, text: `this is not YAML: ${error.message}` });
      continue;
    }
    const line = (path: FieldPath) => lines.linePos(offsetOf(document, path)).line;
    try {
      const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
      if (value !== null && value !== undefined) documents.push({ value, lineOf: line });
    } catch (cause) {
      problems.push({ line: line([]), text: `the document cannot be read: ${errorText(cause)}` });
    }
  }
  return { documents, problems };
}

/** What YAML 1.1 has and kubectl's parser has not: numbers to the base of 60, points in time. */
function isForKubectl(tag: Tags[number]): boolean {
  if (typeof tag !== 'object') return true;
  return tag.format !== 'TIME' && tag.tag !== 'tag:yaml.org,2002:timestamp';
}

/** Where in the text the field stands, or the nearest one around it that is there. */
function offsetOf(document: Document.Parsed, path: FieldPath): number {
  let node: unknown = document.contents;
  let offset = (document.contents as Node | null)?.range?.[0] ?? document.range[0];
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find((each) => isScalar(each.key) && String(each.key.value) === String(part));
      if (!pair) break;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      const item = node.items[Number(part)];
      if (item === undefined) break;
      offset = (item as Node).range?.[0] ?? offset;
      node = item;
    } else break;
  }
  return offset;
}
