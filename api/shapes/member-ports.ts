/** The port of members for whom no other one is told: Consul's. */
export const SERF_PORT = 8301;
/** The same, for other datacenters. */
export const WAN_PORT = 8302;

/** Whether a text says a port, or 0. */
export function isPortText(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535;
}
