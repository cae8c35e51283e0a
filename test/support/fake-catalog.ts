import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CheckStatus } from '../../api/shapes/catalog.ts';
import type { OwnedEvent, OwnedInstance, OwnerState } from '../../api/shapes/owned.ts';
import type { Deregistration, Registration, WriterIdentity } from '../../api/shapes/registration.ts';
import { AppError, ERROR_TABLE, errorText } from '../../core/errors.ts';

/** An instance as the fake keeps it. */
export interface FakeInstance {
  readonly owned: OwnedInstance;
  readonly owner: string;
  readonly registration: Registration;
}

type Follower = (event: OwnedEvent) => void;

/**
 * The servers as an operator sees them, in memory: registrations with owner, epoch, ref and hash, and the stream of owned
 * entries. It is a CatalogClient by itself; `serve` offers the same over HTTP.
 */
export class FakeCatalog {
  readonly instances = new Map<string, FakeInstance>();
  readonly epochs = new Map<string, number>();
  /** Every write taken, in order. */
  readonly writes: string[] = [];
  /** Thrown by the next writes, while it returns something; it is given the registration that is to be written. */
  failing: ((registration?: Registration) => AppError | undefined) | undefined;
  /** Verdicts of agents by check id, kept over a new registration. */
  readonly #verdicts = new Map<string, { status: CheckStatus; output: string }>();
  readonly #followers = new Map<Follower, { owner: string; end: () => void }>();
  #index = 1;

  async register(registration: Registration, writer: WriterIdentity): Promise<void> {
    this.#admit(writer, registration);
    const service = registration.Service!;
    const namespace = service.Namespace ?? registration.Namespace ?? 'default';
    const key = `${namespace}\0${registration.Node}\0${service.ID}`;
    const checks = (registration.Checks ?? []).map((check) => {
      const verdict = this.#verdicts.get(check.CheckID!);
      return {
        CheckID: check.CheckID!,
        Name: check.Name ?? '',
        Status: check.Status ?? verdict?.status ?? ('critical' as const),
        Output: check.Output ?? verdict?.output ?? 'not run yet',
        Owner: writer.owner,
        Ref: writer.ref ?? '',
      };
    });
    const owned: OwnedInstance = {
      Namespace: namespace,
      Node: registration.Node,
      ServiceID: service.ID!,
      ServiceName: service.Service,
      Address: service.Address ?? '',
      Port: service.Port ?? 0,
      Ref: writer.ref ?? '',
      Hash: writer.hash ?? '',
      Checks: checks,
    };
    this.writes.push(`register ${service.ID}`);
    this.instances.set(key, { owned, owner: writer.owner, registration });
    this.#tell(writer.owner, { Type: 'upsert', Index: ++this.#index, Instance: owned });
  }

  async deregister(target: Deregistration, writer: WriterIdentity): Promise<void> {
    this.#admit(writer);
    const key = `${target.Namespace ?? 'default'}\0${target.Node}\0${target.ServiceID}`;
    const found = this.instances.get(key);
    if (!found) return;
    if (found.owner !== writer.owner) throw new AppError('notOwner', `${target.ServiceID} belongs to ${found.owner}`);
    if (writer.ref && found.owned.Ref !== writer.ref) {
      throw new AppError('notOwner', `${target.ServiceID} belongs to ${found.owned.Ref}`);
    }
    this.writes.push(`deregister ${target.ServiceID}`);
    this.remove(key);
  }

  /** Removes an entry as anyone but its owner may: by an explicit command. */
  remove(key: string): void {
    const found = this.instances.get(key);
    if (!found) return;
    this.instances.delete(key);
    const { Namespace, Node, ServiceID, Ref } = found.owned;
    this.#tell(found.owner, { Type: 'delete', Index: ++this.#index, Namespace, Node, ServiceID, Ref });
  }

  /** An agent's verdict. */
  verdict(checkId: string, status: CheckStatus, output: string): void {
    this.#verdicts.set(checkId, { status, output });
    for (const [key, instance] of this.instances) {
      if (!instance.owned.Checks.some(({ CheckID }) => CheckID === checkId)) continue;
      const Checks = instance.owned.Checks.map((check) =>
        check.CheckID === checkId ? { ...check, Status: status, Output: output } : check,
      );
      const owned = { ...instance.owned, Checks };
      this.instances.set(key, { ...instance, owned });
      this.#tell(instance.owner, { Type: 'upsert', Index: ++this.#index, Instance: owned });
    }
  }

  async ownerState(owner: string): Promise<OwnerState> {
    const failure = this.failing?.();
    if (failure) throw failure;
    return { Owner: owner, Epoch: this.epochs.get(owner) ?? 0 };
  }

  async claimEpoch(state: OwnerState): Promise<void> {
    this.#admit({ owner: state.Owner, epoch: state.Epoch });
  }

  async *followOwned(owner: string, signal: AbortSignal): AsyncGenerator<OwnedEvent> {
    const waiting: OwnedEvent[] = [];
    let wake: () => void = () => {};
    let ended = false;
    const end = () => {
      ended = true;
      wake();
    };
    const follower: Follower = (event) => {
      waiting.push(event);
      wake();
    };
    waiting.push({ Type: 'snapshot', Index: this.#index });
    for (const { owned, owner: of } of this.instances.values()) {
      if (of === owner) waiting.push({ Type: 'upsert', Index: this.#index, Instance: owned });
    }
    waiting.push({ Type: 'synced', Index: this.#index });
    this.#followers.set(follower, { owner, end });
    signal.addEventListener('abort', end, { once: true });
    try {
      while (!ended) {
        const event = waiting.shift();
        if (event) yield event;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      this.#followers.delete(follower);
      signal.removeEventListener('abort', end);
    }
  }

  /** Ends every stream. */
  cutStreams(): void {
    for (const { end } of this.#followers.values()) end();
  }

  /** What is there, in a form to compare: `<node>/<id> address:port [check=status …]`. */
  summary(): string[] {
    return [...this.instances.values()]
      .map(({ owned }) => {
        const checks = owned.Checks.map(({ CheckID, Status }) => `${CheckID}=${Status}`).sort();
        return `${owned.Node}/${owned.ServiceID} ${owned.Address}:${owned.Port} [${checks.join(' ')}] ${owned.Ref}`;
      })
      .sort();
  }

  #admit(writer: WriterIdentity, registration?: Registration): void {
    const failure = this.failing?.(registration);
    if (failure) throw failure;
    const epoch = this.epochs.get(writer.owner) ?? 0;
    if (writer.epoch < epoch) throw new AppError('staleEpoch', `epoch ${writer.epoch} is below ${epoch}`);
    this.epochs.set(writer.owner, writer.epoch);
  }

  #tell(owner: string, event: OwnedEvent): void {
    for (const [follower, { owner: of }] of this.#followers) if (of === owner) follower(event);
  }
}

/** A FakeCatalog over HTTP on loopback, at the paths and with the headers of the public API. */
export class FakeCatalogServer {
  readonly catalog: FakeCatalog;
  readonly #server: Server;
  /** Requests are accepted and not answered. */
  hang = false;

  private constructor(catalog: FakeCatalog) {
    this.catalog = catalog;
    this.#server = createServer((request, response) => void this.#handle(request, response));
  }

  static async start(catalog = new FakeCatalog()): Promise<FakeCatalogServer> {
    const fake = new FakeCatalogServer(catalog);
    fake.#server.listen(0, '127.0.0.1');
    await once(fake.#server, 'listening');
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    if (this.hang) return;
    const body = Buffer.concat(parts).toString();
    const url = new URL(request.url ?? '/', 'http://fake');
    const header = (name: string) => request.headers[name] as string | undefined;
    const writer: WriterIdentity = {
      owner: header('x-lictor-owner') ?? '',
      epoch: Number(header('x-lictor-epoch') ?? 0),
      ref: header('x-lictor-ref'),
      hash: header('x-lictor-hash'),
    };
    try {
      if (url.pathname === '/v1/stream/owned') return await this.#stream(url.searchParams.get('owner') ?? '', response);
      response.end(await this.#route(request.method ?? '', url.pathname, body, writer));
    } catch (error) {
      const code = error instanceof AppError ? error.code : 'internal';
      response.writeHead(ERROR_TABLE[code].http, { 'x-lictor-error': code });
      response.end(errorText(error));
    }
  }

  async #route(method: string, path: string, body: string, writer: WriterIdentity): Promise<string> {
    const owner = /^\/v1\/owner\/(.+)$/.exec(path)?.[1];
    if (method === 'PUT' && path === '/v1/catalog/register') await this.catalog.register(JSON.parse(body), writer);
    else if (method === 'PUT' && path === '/v1/catalog/deregister') {
      await this.catalog.deregister(JSON.parse(body), writer);
    } else if (owner && method === 'GET')
      return JSON.stringify(await this.catalog.ownerState(decodeURIComponent(owner)));
    else if (owner && method === 'PUT') await this.catalog.claimEpoch(JSON.parse(body));
    else throw new AppError('notFound', `no ${method} ${path}`);
    return 'true';
  }

  async #stream(owner: string, response: ServerResponse): Promise<void> {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    response.flushHeaders();
    const gone = new AbortController();
    const heartbeat = setInterval(() => response.write('{"Type":"heartbeat","Index":1}\n'), 2_000);
    response.on('close', () => gone.abort());
    for await (const event of this.catalog.followOwned(owner, gone.signal))
      response.write(`${JSON.stringify(event)}\n`);
    clearInterval(heartbeat);
    response.end();
  }
}
