import type { Explanation } from '../api/shapes/explain.ts';

/** The exit code of commands that ask for instances and find none; 1 is a question that could not be asked. */
export const NO_INSTANCE = 2;

/** The exit codes as the help of such a command tells them. */
export const EXIT_CODES =
  'Exit code 0 when the service has such an instance, 2 when it has none, 1 when that cannot be told.';

/** What is said of a service without instances: why, where the server knows it, and what may have been meant. */
export function noInstanceText({ Service, Namespace, Reason, OtherNamespaces, Nearest }: Explanation): string {
  const lines = [`no instance of ${Service} in namespace ${Namespace}${Reason === undefined ? '' : `: ${Reason}`}`];
  if (OtherNamespaces.length > 0) lines.push(`other namespaces have it: ${OtherNamespaces.join(', ')} (-namespace)`);
  if (Reason === undefined && Nearest.length > 0) lines.push(`names that are near: ${Nearest.join(', ')}`);
  if (Reason === undefined && lines.length === 1) lines.push("'lictor catalog services' lists what is registered");
  return lines.join('\n');
}
