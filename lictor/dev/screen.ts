import { aggregateStatus, type HealthEntry } from '../../api/shapes/catalog.ts';

/** What the live screen shows of one service. */
export interface ServiceView {
  readonly name: string;
  readonly entries: readonly HealthEntry[];
  /** Why there is none, as its status says; undefined before somebody has looked. */
  readonly reason?: string | undefined;
}

/** Everything on the screen. */
export interface ScreenView {
  readonly title: string;
  readonly services: readonly ServiceView[];
  /** Lines of what is wrong with the manifests, and other notes. */
  readonly problems: readonly string[];
  /** Lines to try in another terminal. */
  readonly tryThese: readonly string[];
  readonly footer: string;
}

/** What is said of a Service whose status says nothing yet. */
export const NOT_LOOKED_AT = 'it was not looked at yet';

const COLOURS = { passing: '\u001b[32m', warning: '\u001b[33m', critical: '\u001b[31m' } as const;
const RESET = '\u001b[0m';

/** One line for an instance: a mark, id, address, status and, when not passing, the reason. */
export function instanceLine(entry: HealthEntry, colour: boolean): string {
  const status = aggregateStatus(entry.Checks);
  const failing = entry.Checks.find((check) => check.Status === status && status !== 'passing');
  const address = `${entry.Service.Address || entry.Node.Address}:${entry.Service.Port}`;
  const text = colour ? `${COLOURS[status]}${status.padEnd(8)}${RESET}` : status.padEnd(8);
  const why = failing ? `  ${(failing.Output || failing.Notes).split('\n')[0]!.slice(0, 100)}` : '';
  return `  ${status === 'passing' ? '●' : '○'} ${entry.Service.ID.padEnd(24)} ${address.padEnd(22)} ${text}${why}`.trimEnd();
}

/** What is answered of a service, or why it has no instance. */
function headline({ name, entries, reason }: ServiceView): string {
  if (entries.length === 0) return `${name}  no instance: ${reason ?? NOT_LOOKED_AT}`;
  const healthy = entries.filter((entry) => aggregateStatus(entry.Checks) !== 'critical').length;
  return `${name}  ${healthy}/${entries.length} answered`;
}

/** The whole screen as text, without cursor movements. */
export function renderScreen(view: ScreenView, colour: boolean): string {
  const lines = [view.title, ''];
  for (const service of view.services) {
    lines.push(headline(service));
    for (const entry of service.entries) lines.push(instanceLine(entry, colour));
    lines.push('');
  }
  if (view.services.length === 0) lines.push('No Service declared yet.', '');
  for (const problem of view.problems) lines.push(`! ${problem}`);
  if (view.problems.length > 0) lines.push('');
  if (view.tryThese.length > 0) lines.push('Try in another terminal:', ...view.tryThese.map((line) => `  ${line}`), '');
  lines.push(view.footer);
  return `${lines.join('\n')}\n`;
}
