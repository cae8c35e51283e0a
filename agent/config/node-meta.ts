import { MAX_METADATA_PAIRS, metadataProblem } from '../../api/shapes/metadata.ts';

/** The first pair of a node's metadata that cannot be: its key, and what is wrong with it. */
export function nodeMetaProblem(
  meta: Readonly<Record<string, string>>,
): { readonly key: string; readonly problem: string } | undefined {
  for (const [key, value] of Object.entries(meta)) {
    const problem = metadataProblem(key, value);
    if (problem) return { key, problem };
  }
  return undefined;
}

/** What is wrong with how many pairs all files and flags give together. */
export function nodeMetaCountProblem(meta: Readonly<Record<string, string>>): string | undefined {
  if (Object.keys(meta).length <= MAX_METADATA_PAIRS) return undefined;
  return `Node metadata cannot contain more than ${MAX_METADATA_PAIRS} key/value pairs`;
}
