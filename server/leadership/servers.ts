import { doesNotWait, type Route } from '../../api/http/route.ts';
import { writerHeaders } from '../../api/routes/writer-headers.ts';
import { DEFAULT_NAMESPACE, type HealthEntry } from '../../api/shapes/catalog.ts';
import type { Registration, WriterIdentity } from '../../api/shapes/registration.ts';
import { AppError } from '../../core/errors.ts';
import { hostPort } from '../../core/host-port.ts';
import type { CatalogState } from '../catalog/state.ts';
import { SERVER_SERVICE } from '../server-registration.ts';

/** The servers' own ports as the catalog has them; this server's while it is not there yet. */
export function serverAddresses(state: CatalogState, own: string): string[] {
  const listed = state.service(DEFAULT_NAMESPACE, SERVER_SERVICE).map(addressOf);
  return listed.includes(own) ? listed : [own, ...listed];
}

/** The own port of a server that the catalog lists. */
export function addressOf({ Node, Service }: HealthEntry): string {
  return hostPort(Node.Address, Service.Port);
}

/** Registers through a server's own route, which reaches the leader wherever it is. @throws AppError what it answers. */
export async function registerBy(
  routes: readonly Route[],
  registration: Registration,
  writer: WriterIdentity,
): Promise<void> {
  const path = '/v1/catalog/register';
  const route = routes.find((one) => one.method === 'PUT' && one.path === path);
  if (!route) throw new AppError('internal', `no route ${path}`);
  const answer = await route.handle({
    method: 'PUT',
    path,
    params: {},
    query: new URLSearchParams(),
    headers: writerHeaders(writer),
    body: Buffer.from(JSON.stringify(registration)),
    remoteAddress: '',
    signal: new AbortController().signal,
    hold: doesNotWait,
  });
  if ((answer.status ?? 200) !== 200) {
    const text = answer.text ?? Buffer.from(answer.bytes ?? []).toString();
    throw new AppError('unavailable', `status ${answer.status}: ${text}`);
  }
}
