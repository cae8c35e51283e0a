import { parseEndpoints } from './endpoints.ts';

describe('etcd endpoints', () => {
  it.each([
    ['http://127.0.0.1:2379', false, '127.0.0.1:2379', false],
    ['http://127.0.0.1', false, '127.0.0.1:2379', false],
    ['https://etcd-0.etcd:2380/', true, 'etcd-0.etcd:2380', true],
    ['https://etcd-0.etcd', false, 'etcd-0.etcd:2379', true],
    ['https://etcd:443', false, 'etcd:443', true],
    ['etcd-0:2379', false, 'etcd-0:2379', false],
    ['etcd-0:2379', true, 'etcd-0:2379', true],
    ['http://[::1]:2379', false, '[::1]:2379', false],
  ])('reads %s (TLS configured: %s)', (text, tlsConfigured, target, tls) => {
    expect(parseEndpoints([text], tlsConfigured)).toMatchObject([{ target, tls }]);
  });

  it.each([
    ['ftp://etcd:2379', /"ftp:\/\/etcd:2379" must begin with http:\/\/ or https:\/\//],
    ['http://', /is not a URL/],
    ['http://user:secret@etcd', /must not have a user or password/],
    ['http://etcd:2379/v3', /must not have a path/],
    ['etcd 0', /is not a URL/],
  ])('refuses %s, saying why', (text, message) => {
    expect(() => parseEndpoints([text], false)).toThrow(message);
  });

  it('knows the host for the certificate', () => {
    const hosts = parseEndpoints(['https://[::1]:1', 'https://10.0.0.1', 'https://a.b'], true).map(({ host }) => host);
    expect(hosts).toEqual(['::1', '10.0.0.1', 'a.b']);
  });

  it('refuses an empty list, and plain HTTP beside a certificate', () => {
    expect(() => parseEndpoints([], false)).toThrow(/at least one endpoint/);
    expect(() => parseEndpoints(['https://a', 'http://b'], true)).toThrow(/http:\/\/b is http, but a certificate/);
  });
});
