import { FakeClock } from '../../core/clock.ts';
import { SeededRandom } from '../../core/random.ts';
import { holding } from '../../test/support/holding.ts';
import { HeldReads } from '../http/held-reads.ts';
import { errorResponse } from '../http/respond.ts';
import type { RouteRequest } from '../http/route.ts';
import { CachedReads } from './cached-reads.ts';
import type { CentralConfig } from './central-config.ts';
import { readRoute, soleAuthority } from './read-route.ts';
import { RenderCache } from './render-cache.ts';

const request = (held: HeldReads, query: string) => {
  const { signal } = new AbortController();
  return {
    method: 'GET',
    params: {},
    query: new URLSearchParams(query),
    headers: {},
    signal,
    hold: holding(held, signal),
  } as unknown as RouteRequest;
};

const noDistances = { version: 0, from: () => () => Number.POSITIVE_INFINITY };

const noCentral: CentralConfig = {
  merge: (instance) => instance,
  live: () => ({ run: () => ({ value: undefined, index: 1, applied: 1 }), watch: () => () => {} }),
};

describe('read route', () => {
  it('makes the value once for each version, however many ask or wait', async () => {
    const clock = new FakeClock();
    const wakes = new Set<() => void>();
    let index = 5;
    let made = 0;
    const live = {
      run: () => ({
        get value() {
          made++;
          return [index];
        },
        index,
        applied: index,
      }),
      watch(wake: () => void) {
        wakes.add(wake);
        return () => wakes.delete(wake);
      },
    };
    const deps = {
      clock,
      random: new SeededRandom(1),
      cache: new RenderCache(),
      datacenter: 'dc1',
      distances: noDistances,
      cached: new CachedReads({ clock }),
      nodeName: 'n1',
      central: noCentral,
      authority: soleAuthority,
    };
    const route = readRoute(deps, '/v1/things', () => ({ key: 'things', live, json: (value) => value }));
    const held = new HeldReads({ clock, failure: errorResponse });
    const text = async (query = '') => Buffer.from((await route.handle(request(held, query))).bytes!).toString();
    expect(await text()).toBe('[5]');
    expect(await text()).toBe('[5]');
    expect(made).toBe(1);
    const waiting = Promise.all([text('index=5'), text('index=5'), text('index=5')]);
    await clock.advance(1000);
    index = 6;
    for (const wake of wakes) wake();
    expect(await waiting).toEqual(['[6]', '[6]', '[6]']);
    expect(made).toBe(2);
  });
});
