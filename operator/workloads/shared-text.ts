/** Texts kept once, in two generations so that what is no longer used goes. */
let young = new Map<string, string>();
let old = new Map<string, string>();
const GENERATION = 20_000;

/**
 * An equal text that is kept already, or this one. Thousands of objects name the same nodes, namespaces, labels and
 * reasons, and each parsed line would keep its own copy of them.
 */
export function share(text: string): string {
  let known = young.get(text);
  if (known !== undefined) return known;
  known = old.get(text) ?? text;
  if (young.size >= GENERATION) {
    old = young;
    young = new Map();
  }
  young.set(known, known);
  return known;
}
