import { datacenterOf, flagParam, readParams } from './request-params.ts';
import type { RouteRequest } from './route.ts';

const request = (query: string, headers: Record<string, string> = {}) =>
  ({ query: new URLSearchParams(query), headers }) as unknown as RouteRequest;

describe('request parameters', () => {
  it('have defaults', () => {
    expect(readParams(request(''))).toEqual({
      index: 0,
      waitMs: 0,
      namespace: 'default',
      consistency: 'leader',
      tags: [],
      nodeMeta: [],
      filter: '',
      cached: false,
      peer: '',
    });
  });

  it('are read', () => {
    expect(
      readParams(
        request('index=7&wait=1m30s&tag=A&tag=b&node-meta=k:v:w&node-meta=x&ns=Shop&stale', {
          'x-consul-namespace': 'no',
        }),
      ),
    ).toEqual({
      index: 7,
      waitMs: 90_000,
      namespace: 'shop',
      consistency: 'stale',
      tags: ['a', 'b'],
      nodeMeta: [
        ['k', 'v:w'],
        ['x', ''],
      ],
      filter: '',
      cached: false,
      peer: '',
    });
    expect(readParams(request('', { 'x-consul-namespace': 'Team' })).namespace).toBe('team');
    expect(readParams(request('consistent')).consistency).toBe('consistent');
    expect(readParams(request('max_stale=1s')).consistency).toBe('stale');
    expect(datacenterOf(new URLSearchParams('dc=a&datacenter=B'))).toBe('b');
  });

  it.each([
    ['index=x', 'Invalid index'],
    ['index=18446744073709551616', 'Invalid index'],
    ['index=-1', 'Invalid index'],
    ['wait=10', 'Invalid wait time'],
    ['max_stale=abc', 'Invalid max_stale value "abc"'],
    ['stale&consistent', 'Cannot specify ?stale with ?consistent, conflicting semantics.'],
    ['cached&consistent', 'Cannot specify ?cached with ?consistent, conflicting semantics.'],
    ['partition=x', 'Invalid query parameter: "partition" - Partitions are a Consul Enterprise feature'],
    ['ns=-a', 'Invalid namespace "-a": must be 1 to 63 letters, digits or hyphens, without a hyphen at either end'],
  ])('refuse %s', (query, text) => {
    expect(() => readParams(request(query))).toThrow(expect.objectContaining({ code: 'badRequest', message: text }));
  });

  it('read flags as Go does', () => {
    expect(flagParam(new URLSearchParams('passing'), 'passing')).toBe(true);
    expect(flagParam(new URLSearchParams('passing=T'), 'passing')).toBe(true);
    expect(flagParam(new URLSearchParams('passing=false'), 'passing')).toBe(false);
    expect(flagParam(new URLSearchParams(''), 'passing')).toBe(false);
    expect(() => flagParam(new URLSearchParams('passing=what'), 'passing')).toThrow('Invalid value for ?passing');
  });
});
