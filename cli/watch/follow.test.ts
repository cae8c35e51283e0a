import { FakeClock } from '../../core/clock.ts';
import { FakeApi } from '../../test/support/command-run.ts';
import { apiOptions } from '../api-options.ts';
import { HttpApi } from '../http-api.ts';
import { follow } from './follow.ts';
import { watchPlan } from './plan.ts';

describe('a watch that is followed', () => {
  it('goes on when what lies between has answered with something else for a while', async () => {
    const bodies = ['<html>one moment', '["a"]'];
    const served = await FakeApi.start({
      'GET /v1/catalog/nodes': () => ({ headers: { 'X-Consul-Index': '7' }, body: bodies.shift() ?? '["a"]' }),
    });
    const clock = new FakeClock();
    const api = new HttpApi(apiOptions({ httpAddr: served.address }, {}));
    const stop = new AbortController();
    const failures: string[] = [];
    // The pause after a failure is over as soon as it has begun.
    const onFailure = (text: string) => {
      failures.push(text);
      setImmediate(() => void clock.advance(5_000));
    };
    const changes = follow({ api, clock, onFailure }, watchPlan({ type: 'nodes' }), stop.signal);
    expect(await changes.next()).toEqual({ done: false, value: { index: '7', value: ['a'] } });
    expect(failures).toEqual([expect.stringContaining('answered /v1/catalog/nodes with what is no JSON: "<html>one')]);
    stop.abort();
    await api.close();
    await served.stop();
  });
});
