/** Pairs that a node or an instance may have (Consul's limits, here and below). */
const MAX_PAIRS = 64;
const MAX_KEY = 128;
const MAX_VALUE = 512;

/** What is wrong with how many pairs there are, in Consul's words, which are the same for an instance. */
export function metadataCountProblem(meta: Readonly<Record<string, string>>): string | undefined {
  if (Object.keys(meta).length <= MAX_PAIRS) return undefined;
  return `Node metadata cannot contain more than ${MAX_PAIRS} key/value pairs`;
}

/** What is wrong with one pair of the metadata of a node or an instance, in Consul's words. */
export function metadataProblem(key: string, value: string): string | undefined {
  if (key === '') return 'Key cannot be blank';
  if (!/^[a-zA-Z0-9_-]+$/.test(key)) return 'Key contains invalid characters';
  if (key.length > MAX_KEY) return `Key is too long (limit: ${MAX_KEY} characters)`;
  if (key.startsWith('consul-')) return "Key prefix 'consul-' is reserved for internal use";
  if (value.length > MAX_VALUE) return `Value is too long (limit: ${MAX_VALUE} characters)`;
  return undefined;
}
