import type { Route, RouteResponse } from '../../api/http/route.ts';
import { FakeClock } from '../../core/clock.ts';
import { routeRequest } from '../../test/support/route-request.ts';
import { forwardToLeader } from './forward-to-leader.ts';
import type { Forwarded } from './leader-client.ts';
import { type Leadership, type ServerPlace, SoleLeadership } from './leadership.ts';

const OTHER: ServerPlace = { id: 'b', name: 'b', address: 'b:8300' };

/** A server that does not lead; what it knows is set by the test. */
class Follower extends SoleLeadership implements Leadership {
  readonly #clock: FakeClock;
  known: ServerPlace | undefined;
  heardAtMs = 0;
  #tell: () => void = () => {};

  constructor(clock: FakeClock) {
    super({ loaded: true }, { id: 'a', name: 'a', address: 'a:8300' });
    this.#clock = clock;
  }

  override leads(): boolean {
    return false;
  }
  override leader(): ServerPlace | undefined {
    return this.known;
  }
  override lastContactMs(): number {
    return this.#clock.monotonic() - this.heardAtMs;
  }
  override async changed(withinMs?: number): Promise<void> {
    const over = new AbortController();
    this.#tell = () => over.abort();
    await this.#clock.sleep(withinMs ?? 0, over.signal);
  }

  learn(leader: ServerPlace | undefined): void {
    this.known = leader;
    this.#tell();
  }
}

function bench(send: (query: string) => Promise<Forwarded>) {
  const clock = new FakeClock();
  const leadership = new Follower(clock);
  const own: Route = { method: 'PUT', path: '/v1/kv/:key', handle: () => ({ json: 'here' }) };
  const [route] = forwardToLeader([own], {
    clock,
    leadership,
    client: {
      send: (_address, _route, { query }) => send(query.toString()),
    },
  });
  const ask = (method: 'GET' | 'PUT', query = '') => {
    const request = { ...routeRequest(method, '/v1/kv/a'), query: new URLSearchParams(query) };
    const answer: { response?: RouteResponse; error?: unknown; atMs?: number } = {};
    const settled = (more: object) => Object.assign(answer, more, { atMs: clock.monotonic() });
    Promise.resolve(route!.handle(request)).then(
      (response) => settled({ response }),
      (error) => settled({ error }),
    );
    return answer;
  };
  return { clock, leadership, ask };
}

const unsent = async (): Promise<Forwarded> => ({ answered: false, reason: 'it does not answer' });
const done = async (): Promise<Forwarded> => ({ answered: true, response: { json: 'there' } });

describe('what is handed to the leader', () => {
  it('waits up to 7 s from the moment when nobody is known to lead, and at least one', async () => {
    const { clock, ask } = bench(unsent);
    const first = ask('PUT');
    await clock.advance(5000);
    const second = ask('PUT');
    await clock.advance(1990);
    expect([first.error, second.error]).toEqual([undefined, undefined]);
    await clock.advance(20);
    for (const { error } of [first, second]) expect(error).toMatchObject({ code: 'noLeader' });
    const third = ask('PUT');
    await clock.advance(990);
    expect(third.error).toBeUndefined();
    await clock.advance(20);
    expect(third.error).toMatchObject({ code: 'noLeader', message: 'No cluster leader' });
  });

  it('is refused naming the leader where that is known but cannot be reached', async () => {
    const { clock, leadership, ask } = bench(unsent);
    leadership.known = OTHER;
    const answer = ask('PUT');
    await clock.advance(7100);
    expect(answer.error).toMatchObject({
      code: 'noLeader',
      message: 'No cluster leader: b leads and cannot be reached from here: it does not answer',
    });
  });

  it('goes to the next leader as soon as there is one', async () => {
    const { clock, leadership, ask } = bench(done);
    const answer = ask('PUT');
    await clock.advance(3000);
    leadership.learn(OTHER);
    await clock.advance(1);
    expect(answer).toMatchObject({ response: { json: 'there' }, atMs: 3000 });
  });

  it('has the whole time again when a leader was lost after a long wait for news', async () => {
    let lose: (outcome: Forwarded) => void = () => {};
    const sends = [() => new Promise<Forwarded>((resolve) => (lose = resolve)), done];
    const { clock, leadership, ask } = bench(() => sends.shift()!());
    leadership.known = OTHER;
    const answer = ask('GET');
    await clock.advance(60_000);
    leadership.learn(undefined);
    lose(await unsent());
    await clock.advance(2000);
    expect(answer).toEqual({});
    leadership.learn(OTHER);
    await clock.advance(100);
    expect(answer.response).toEqual({ json: 'there' });
  });

  it('waits for news once, not anew at the next leader', async () => {
    let lose: (outcome: Forwarded) => void = () => {};
    const asked: string[] = [];
    const { clock, leadership, ask } = bench((query) => {
      asked.push(query);
      return asked.length === 1 ? new Promise<Forwarded>((resolve) => (lose = resolve)) : done();
    });
    leadership.known = OTHER;
    ask('GET', 'index=7&wait=20s');
    await clock.advance(17_000);
    leadership.learn(undefined);
    lose(await unsent());
    await clock.advance(1000);
    leadership.learn(OTHER);
    await clock.advance(100);
    expect(asked).toEqual(['index=7&wait=20s', 'index=7&wait=2000ms']);
  });
});
