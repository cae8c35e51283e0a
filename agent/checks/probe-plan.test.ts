import type { CheckDefinition } from '../../api/shapes/catalog.ts';
import { deregisterAfterMs, planProbe } from './probe-plan.ts';

describe('planProbe', () => {
  it('reads an http check with its defaults', () => {
    expect(planProbe({ HTTP: 'http://127.0.0.1:80/h', Interval: '30s' })).toMatchObject({
      kind: 'http',
      method: 'GET',
      intervalMs: 30_000,
      timeoutMs: 10_000,
      followRedirects: true,
      outputMaxBytes: 4096,
      thresholds: { successBeforePassing: 0, failuresBeforeWarning: 0, failuresBeforeCritical: 0 },
    });
  });
  it('gives an answer ten seconds with a short interval, too', () => {
    expect(planProbe({ HTTP: 'http://a/', Interval: '2s' })).toMatchObject({ timeoutMs: 10_000 });
  });
  it.each(['0s', '-5s'])('takes a timeout of %s for none', (Timeout) => {
    expect(planProbe({ TCP: 'a:1', Interval: '30s', Timeout })).toMatchObject({ timeoutMs: 10_000 });
    expect(planProbe({ ScriptArgs: ['true'], Interval: '60s', Timeout })).toMatchObject({ timeoutMs: 30_000 });
  });
  it('raises an interval below a second', () => {
    expect(planProbe({ TCP: 'a:1', Interval: '10ms' })).toMatchObject({ intervalMs: 1000 });
  });
  it('warns at the critical threshold when no other is given', () => {
    expect(planProbe({ TCP: 'a:1', Interval: '1s', FailuresBeforeCritical: 3 })).toMatchObject({
      thresholds: { failuresBeforeWarning: 3, failuresBeforeCritical: 3 },
    });
  });
  it('reads an IPv6 address', () => {
    expect(planProbe({ TCP: '[::1]:53', Interval: '1s' })).toMatchObject({ host: '::1', port: 53 });
  });
  it('has nothing to run for a bare state', () => expect(planProbe({})).toEqual({ kind: 'idle' }));

  it.each<[CheckDefinition, RegExp]>([
    [{ HTTP: 'nonsense', Interval: '1s' }, /HTTP.*URL/],
    [{ HTTP: 'ftp://a/', Interval: '1s' }, /HTTP.*http/],
    [{ HTTP: 'http://100%:x@a/', Interval: '1s' }, /HTTP.*URL/],
    [{ HTTP: 'http://a/' }, /Interval.*above 0/],
    [{ HTTP: 'http://a/', Interval: 'often' }, /Interval.*duration/],
    [{ HTTP: 'http://a/', Interval: '1s', Timeout: '5' }, /Timeout.*duration/],
    [{ HTTP: 'http://a/', Interval: '1s', Method: 'A B' }, /Method/],
    [{ TCP: 'a', Interval: '1s' }, /TCP.*host:port/],
    [{ TCP: 'a:99999', Interval: '1s' }, /TCP.*host:port/],
    [{ TCP: '::1:80', Interval: '1s' }, /TCP.*host:port/],
    [{ TTL: 'soon' }, /TTL.*duration/],
    [
      { TCP: 'a:1', Interval: '1s', FailuresBeforeWarning: 3, FailuresBeforeCritical: 2 },
      /FailuresBeforeWarning.*higher/,
    ],
    [{ TCP: 'a:1', Interval: '1s', SuccessBeforePassing: -1 }, /SuccessBeforePassing/],
  ])('refuses %j', (definition, text) => expect(() => planProbe(definition)).toThrow(text));
});

describe('deregisterAfterMs', () => {
  it('is at least a minute', () => expect(deregisterAfterMs({ DeregisterCriticalServiceAfter: '5s' })).toBe(60_000));
  it('is absent by default', () => expect(deregisterAfterMs({})).toBeUndefined());
});
