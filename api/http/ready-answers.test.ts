import type { IncomingMessage } from 'node:http';
import { ReadyAnswers } from './ready-answers.ts';
import type { RouteResponse } from './route.ts';

const request = (url: string, rawHeaders: string[] = ['Host', 'x'], method = 'GET') =>
  ({ url, rawHeaders, method }) as unknown as IncomingMessage;
const lasting = (text: string): RouteResponse => {
  const answer: RouteResponse = { text, again: () => answer };
  return answer;
};

describe('ready answers', () => {
  it('are found by the whole URL, and counted by route', () => {
    const counted: string[] = [];
    const ready = new ReadyAnswers((route) => () => void counted.push(route));
    ready.note(request('/a?x'), '/a', lasting('1'));
    expect(ready.find(request('/a'))).toBeUndefined();
    const found = ready.find(request('/a?x'));
    expect(found?.again()?.text).toBe('1');
    found?.count();
    expect(counted).toEqual(['/a']);
  });

  it.each([
    ['another method', request('/a', [], 'PUT')],
    ['a namespace', request('/a', ['X-Consul-Namespace', 'team'])],
    ['a partition', request('/a', ['X-Consul-Partition', 'p'])],
    ['a body', request('/a', ['content-length', '3'])],
    ['a chunked body', request('/a', ['Transfer-Encoding', 'chunked'])],
    ['a cache rule', request('/a', ['Cache-Control', 'must-revalidate'])],
    ['another agent', request('/a', ['X-Lictor-Agent', 'n1'])],
  ])('are neither given nor kept for a request with %s', (_, special) => {
    const ready = new ReadyAnswers(() => () => {});
    ready.note(special, '/a', lasting('1'));
    expect(ready.find(request('/a'))).toBeUndefined();
    ready.note(request('/a'), '/a', lasting('1'));
    expect(ready.find(special)).toBeUndefined();
  });

  it('are bounded, and never of long URLs or of answers for one request', () => {
    const ready = new ReadyAnswers(() => () => {});
    ready.note(request(`/${'x'.repeat(300)}`), '/a', lasting('1'));
    ready.note(request('/once'), '/a', { text: '1' });
    expect(ready.find(request(`/${'x'.repeat(300)}`))).toBeUndefined();
    expect(ready.find(request('/once'))).toBeUndefined();
    for (let n = 0; n <= 16_384; n++) ready.note(request(`/${n}`), '/a', lasting('1'));
    expect(ready.find(request('/0'))).toBeUndefined();
    expect(ready.find(request('/16384'))).toBeDefined();
  });
});
