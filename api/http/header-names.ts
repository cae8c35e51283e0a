/** Names that were spelled before. Those of answers are few; beyond this many none is kept. */
const MAX_NAMES = 1_000;
const spelled = new Map<string, string>();

/** A header's name as Go writes it, which is how scripts look for it: `X-Consul-Index`. */
export function headerName(name: string): string {
  const known = spelled.get(name);
  if (known !== undefined) return known;
  const made = name.toLowerCase().replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
  if (spelled.size < MAX_NAMES) spelled.set(name, made);
  return made;
}

/** Headers one after the other, each name and its value, in the form that Node sends as it is. */
export function headerList(headers: Readonly<Record<string, string | number>>): string[] {
  const list: string[] = [];
  for (const name in headers) list.push(headerName(name), String(headers[name]));
  return list;
}
