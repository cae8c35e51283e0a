import { Readable } from 'node:stream';
import fc from 'fast-check';
import { type CheckStatus, DEFAULT_NAMESPACE, type HealthEntry } from '../../api/shapes/catalog.ts';
import type { StreamEvent } from '../../api/shapes/stream.ts';
import { FakeClock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { jsonLines } from '../support/ndjson.ts';
import { API, RunningServer } from '../support/running-server.ts';

/** How many random histories; the nightly form asks for more. */
const RUNS = Number(process.env.PROPERTY_RUNS ?? 12);

/** Streams, and the reads that say the same. */
const SHAPES = [
  { query: 'service=s0&service=s1', reads: ['service/s0?', 'service/s1?'] },
  { query: 'service=s0&passing', reads: ['service/s0?passing'] },
  { query: '', reads: ['service/s0?', 'service/s1?', 'service/s2?', 'service/consul?'] },
  {
    query: 'ns=team&tag=t1',
    reads: ['service/s0?ns=team&tag=t1', 'service/s1?ns=team&tag=t1', 'service/s2?ns=team&tag=t1'],
  },
  { query: 'ns=*&service=s1', reads: ['service/s1?', 'service/s1?ns=team'] },
  { query: 'node-meta=zone:z1&service=s2', reads: ['service/s2?node-meta=zone:z1'] },
];

type Step =
  | { kind: 'register'; node: number; service: number; id: number; tag: number; team: boolean; status: CheckStatus }
  | { kind: 'node'; node: number; zone: number; status: CheckStatus }
  | { kind: 'deregister'; node: number; id: number; team: boolean }
  | { kind: 'deregisterNode'; node: number }
  | { kind: 'read'; stream: number; lines: number }
  | { kind: 'cut'; stream: number }
  | { kind: 'restore' };

const small = (max: number) => fc.integer({ min: 0, max });
const status = fc.constantFrom<CheckStatus>('passing', 'warning', 'critical');
const kind = <K extends Step['kind']>(name: K) => fc.constant(name);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: kind('register'),
      node: small(2),
      service: small(2),
      id: small(3),
      tag: small(1),
      team: fc.boolean(),
      status,
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: kind('node'), node: small(2), zone: small(1), status }) },
  { weight: 4, arbitrary: fc.record({ kind: kind('deregister'), node: small(2), id: small(3), team: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('deregisterNode'), node: small(2) }) },
  { weight: 6, arbitrary: fc.record({ kind: kind('read'), stream: small(SHAPES.length - 1), lines: small(4) }) },
  { weight: 4, arbitrary: fc.record({ kind: kind('cut'), stream: small(SHAPES.length - 1) }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('restore') }) },
);

/** A client: it keeps what the lines tell it and goes on with the index of the last line. */
class Client {
  readonly #server: RunningServer;
  readonly #query: string;
  readonly held = new Map<string, HealthEntry>();
  #controller = new AbortController();
  #lines: AsyncIterator<StreamEvent> | undefined;
  #waiting: Promise<StreamEvent> | undefined;
  #index = 0;

  constructor(server: RunningServer, query: string) {
    this.#server = server;
    this.#query = query;
  }

  /** The next line as soon as there is one; it is not lost when nobody waits for it any longer. */
  next(): Promise<StreamEvent> {
    this.#waiting ??= this.#read().finally(() => {
      this.#waiting = undefined;
    });
    return this.#waiting;
  }

  async #read(): Promise<StreamEvent> {
    this.#lines ??= await this.#open();
    const event = (await this.#lines.next()).value as StreamEvent | undefined;
    if (!event) throw new Error('the stream ended');
    this.#apply(event);
    return event;
  }

  async #open(): Promise<AsyncIterator<StreamEvent>> {
    const url = `/v1/stream/health?${this.#query}&index=${this.#index}`;
    const { stream } = await this.#server.call('GET', url, { signal: this.#controller.signal });
    return jsonLines<StreamEvent>(stream!);
  }

  async cut(): Promise<void> {
    this.#controller.abort();
    await this.#waiting?.catch(() => {});
    await this.#lines?.return?.();
    this.#controller = new AbortController();
    this.#lines = undefined;
  }

  #apply(event: StreamEvent): void {
    if (event.Type !== 'snapshot' && event.Index < this.#index) throw new Error('the index fell');
    this.#index = event.Index;
    if (event.Type === 'snapshot') this.held.clear();
    else if (event.Type === 'upsert') this.held.set(keyOf(event.Entry), event.Entry);
    else if (event.Type === 'delete') this.held.delete(`${event.Namespace}/${event.Node}/${event.ServiceID}`);
  }
}

function keyOf({ Node, Service }: HealthEntry): string {
  return `${Service.Namespace ?? DEFAULT_NAMESPACE}/${Node.Node}/${Service.ID}`;
}

async function change(server: RunningServer, action: Step): Promise<void> {
  if (!('node' in action)) return;
  const Node = `n${action.node}`;
  const Namespace = 'team' in action && action.team ? 'team' : undefined;
  switch (action.kind) {
    case 'register': {
      const ID = `i${action.id}`;
      return server.register({
        Node,
        Address: '10.0.0.1',
        SkipNodeUpdate: true,
        Service: { ID, Namespace, Service: `s${action.service}`, Tags: [`t${action.tag}`] },
        Check: { CheckID: `c${action.id}`, Namespace, Name: 'c', Status: action.status, ServiceID: ID },
      });
    }
    case 'node':
      return server.register({
        Node,
        Address: `10.0.0.${action.zone}`,
        NodeMeta: { zone: `z${action.zone}` },
        Check: { CheckID: 'node', Name: 'node', Status: action.status },
      });
    case 'deregister':
      return server.composed.serverCatalog.deregister({ Node, Namespace, ServiceID: `i${action.id}` }, API);
    case 'deregisterNode':
      return server.composed.serverCatalog.deregister({ Node }, API);
  }
}

/** Reads until there is nothing more: two heartbeats, the second with the clients all in silence. */
async function drain(client: Client, clock: FakeClock): Promise<void> {
  for (let silences = 0; silences < 2; ) {
    const next = client.next();
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(10_000);
    silences = (await next).Type === 'heartbeat' ? silences + 1 : 0;
  }
}

async function expected(server: RunningServer, reads: readonly string[]): Promise<Map<string, HealthEntry>> {
  const found = new Map<string, HealthEntry>();
  for (const read of reads) {
    const { json } = await server.get<HealthEntry[]>(`/v1/health/${read}`);
    for (const entry of json) found.set(keyOf(entry), entry);
  }
  return found;
}

const inOrder = (held: Map<string, HealthEntry>) => [...held].sort(([a], [b]) => (a < b ? -1 : 1));

async function runHistory(steps: readonly Step[], limits: { maxTouches: number; maxPending: number }): Promise<void> {
  const clock = new FakeClock();
  const server = await RunningServer.start({ clock, streamLimits: limits });
  const clients = SHAPES.map(({ query }) => new Client(server, query));
  try {
    for (const action of steps) {
      if (action.kind === 'cut') await clients[action.stream]!.cut();
      else if (action.kind === 'read') await readSome(clients[action.stream]!, action.lines);
      else if (action.kind === 'restore') await restore(server);
      else await change(server, action).catch(refused);
    }
    for (const [at, { reads }] of SHAPES.entries()) {
      await drain(clients[at]!, clock);
      expect(inOrder(clients[at]!.held)).toEqual(inOrder(await expected(server, reads)));
    }
  } finally {
    for (const client of clients) await client.cut();
    await server.stop();
  }
}

/** So many lines, as far as there are any now. */
async function readSome(client: Client, lines: number): Promise<void> {
  for (let n = 0; n < lines; n++) {
    const quiet = new Promise<'quiet'>((resolve) => setImmediate(() => setImmediate(() => resolve('quiet'))));
    if ((await Promise.race([client.next(), quiet])) === 'quiet') return;
  }
}

/** What the catalog holds becomes its content again: every client has to begin anew. */
async function restore(server: RunningServer): Promise<void> {
  const { stream } = await server.call('GET', '/v1/snapshot');
  const chunks: Buffer[] = [];
  for await (const chunk of stream!) chunks.push(chunk as Buffer);
  await server.call('PUT', '/v1/snapshot', { bodyStream: Readable.from(chunks) });
}

/** What is deregistered need not be there. */
function refused(error: unknown): void {
  if (!(error instanceof AppError)) throw error;
}

describe('whatever is changed and wherever a stream is cut, its lines give what the health reads say', () => {
  it.each([
    ['with much history', { maxTouches: 1000, maxPending: 1000 }],
    ['with little history', { maxTouches: 3, maxPending: 1000 }],
    ['with readers that are too slow', { maxTouches: 1000, maxPending: 2 }],
  ])('%s', async (_name, limits) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 40 }), (steps) => runHistory(steps, limits)),
      { numRuns: RUNS },
    );
  });
});
