import { AppError } from '../../core/errors.ts';
import type { NamedPort } from './catalog.ts';

/**
 * The port of an instance with named ports, which is the default one of them: given, marked, or else the first. `prefix` is
 * where they are, as `Service.`. @throws AppError `badRequest` for two of one name, two defaults, and a port that is none of them.
 */
export function defaultPortOf(port: number, ports: readonly NamedPort[], prefix: string): number {
  const seen = new Set<string>();
  for (const [at, { Name }] of ports.entries()) {
    const field = `${prefix}Ports[${at}]`;
    if (seen.has(Name.toLowerCase())) throw invalid(`${field}.Name: ${Name} is given twice`, field);
    seen.add(Name.toLowerCase());
  }
  const marked = ports.filter((named) => named.Default);
  if (marked.length > 1) throw invalid(`${prefix}Ports: at most one of them can be the default`, `${prefix}Ports`);
  const chosen = marked[0] ?? ports.find((named) => named.Port === port) ?? ports[0]!;
  if (port !== 0 && chosen.Port !== port) {
    throw invalid(`${prefix}Port ${port} is not the default one of ${prefix}Ports (${chosen.Port})`, `${prefix}Port`);
  }
  return chosen.Port;
}

function invalid(text: string, field: string): AppError {
  return new AppError('badRequest', text, { facts: { field } });
}
