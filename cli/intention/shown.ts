import type { Intention } from '../../api/shapes/intention.ts';

export const INTENTIONS = '/v1/connect/intentions';
export const EXACT = `${INTENTIONS}/exact`;

type Ends = Pick<Intention, 'SourceName' | 'SourcePeer' | 'DestinationName'>;

/** The source as commands and the API take it. */
export function sourceOf({ SourceName, SourcePeer }: Omit<Ends, 'DestinationName'>): string {
  return SourcePeer ? `peer:${SourcePeer}/${SourceName}` : SourceName;
}

/** `web => db (allow)`. */
export function intentionText(intention: Ends & Pick<Intention, 'Action' | 'Permissions'>): string {
  const { Action, Permissions = [], DestinationName } = intention;
  const what = Action ?? `${Permissions.length} permission${Permissions.length === 1 ? '' : 's'}`;
  return `${sourceOf(intention)} => ${DestinationName} (${what})`;
}

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** A time of the API as RFC 850 writes it, in UTC; as it came when it is no time. */
export function rfc850(text: string): string {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return text;
  const two = (value: number) => String(value).padStart(2, '0');
  const date = `${two(time.getUTCDate())}-${MONTHS[time.getUTCMonth()]}-${two(time.getUTCFullYear() % 100)}`;
  const clock = [time.getUTCHours(), time.getUTCMinutes(), time.getUTCSeconds()].map(two).join(':');
  return `${DAYS[time.getUTCDay()]}, ${date} ${clock} UTC`;
}

/** Every fact of an intention, a line each, the values in one column. */
export function intentionDetails(intention: Intention): string {
  const rows: [string, string][] = [
    ['Source', sourceOf(intention)],
    ['Destination', intention.DestinationName],
    ['Action', intention.Action ?? '-'],
  ];
  if (intention.Permissions) rows.push(['Permissions', String(intention.Permissions.length)]);
  if (intention.Description) rows.push(['Description', intention.Description]);
  rows.push(['Precedence', String(intention.Precedence)]);
  if (intention.ID) rows.push(['ID', intention.ID]);
  for (const [key, value] of Object.entries(intention.Meta ?? {})) rows.push([`Meta[${key}]`, value]);
  if (intention.CreatedAt) rows.push(['Created At', rfc850(intention.CreatedAt)]);
  const width = Math.max(...rows.map(([name]) => name.length)) + 3;
  return rows.map(([name, value]) => `${`${name}:`.padEnd(width)}${value}\n`).join('');
}
