import { metadataProblem } from '../../api/shapes/metadata.ts';

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
