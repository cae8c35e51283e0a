import { hostPort, urlHost } from './host-port.ts';

describe('a host beside its port', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1:8300'],
    ['web.internal', 'web.internal:8300'],
    ['::1', '[::1]:8300'],
    ['fe80::1%eth0', '[fe80::1%eth0]:8300'],
  ])('%s is %s', (host, expected) => {
    expect(hostPort(host, 8300)).toBe(expected);
    expect(`${urlHost(host)}:8300`).toBe(expected);
  });
});
