/** A user event in Consul's JSON form (Consul HTTP API, "Event"). */
export interface UserEvent {
  readonly ID: string;
  readonly Name: string;
  /** Base64; null when there is none. */
  readonly Payload: string | null;
  /** Regular expressions; '' takes all. The tag is that of a service that fits the service filter. */
  readonly NodeFilter: string;
  readonly ServiceFilter: string;
  readonly TagFilter: string;
  readonly Version: number;
  /** Orders events; 0 in the answer to the one who fired it. */
  readonly LTime: number;
}

/** The only version of the form. */
export const EVENT_VERSION = 1;

/** What Consul's clients make of an event's id to wait for the next one: both halves of the UUID, each bit by bit. */
export function eventIndex(id: string): bigint {
  const hex = id.replaceAll('-', '');
  return BigInt(`0x${hex.slice(0, 16)}`) ^ BigInt(`0x${hex.slice(16)}`);
}
