import { FakeClock } from '../../core/clock.ts';
import type { ApiRequest, HttpApi } from '../http-api.ts';
import { AgentRegistration } from './agent-registration.ts';

describe('the registration of a snapshot agent', () => {
  it('waits for seconds for an agent that has fallen silent, and goes on as soon as it answers', async () => {
    const clock = new FakeClock();
    const said: string[] = [];
    let isSilent = true;
    const put = async (_path: string, { timeoutMs = 30_000 }: ApiRequest = {}) => {
      if (!isSilent) return;
      await clock.sleep(timeoutMs);
      throw new Error('no answer in time');
    };
    const registration = new AgentRegistration(
      { api: { put } as Pick<HttpApi, 'put'>, clock, say: (text) => said.push(text) },
      { id: 'snapshot:1', service: 'snapshot', deregisterAfter: '' },
    );
    const stop = new AbortController();
    const beating = registration.run(stop.signal);
    const told = registration.tell(false);
    await clock.advance(8_000);
    expect(await Promise.race([told, 'still waiting'])).toBeUndefined();
    expect(said).toEqual(['Registration failed, tried again: no answer in time']);
    isSilent = false;
    await clock.advance(20_000);
    expect(said).toHaveLength(1);
    stop.abort();
    await beating;
  });

  it('waits for an agent that itself waits for servers that hang', async () => {
    const clock = new FakeClock();
    const said: string[] = [];
    const paths: string[] = [];
    const put = async (path: string, { timeoutMs = 30_000 }: ApiRequest = {}) => {
      await clock.sleep(Math.min(timeoutMs, 5_200));
      if (timeoutMs < 5_200) throw new Error('no answer in time');
      paths.push(path);
    };
    const registration = new AgentRegistration(
      { api: { put } as Pick<HttpApi, 'put'>, clock, say: (text) => said.push(text) },
      { id: 'snapshot:1', service: 'snapshot', deregisterAfter: '' },
    );
    const stop = new AbortController();
    const beating = registration.run(stop.signal);
    await clock.advance(10_000);
    stop.abort();
    await beating;
    const removed = registration.remove();
    await clock.advance(6_000);
    await removed;
    expect([said, paths]).toEqual([[], ['/v1/agent/service/register', '/v1/agent/service/deregister/snapshot%3A1']]);
  });
});
