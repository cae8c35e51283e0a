import type { CheckDefinition } from '../../api/shapes/catalog.ts';
import type { ServiceRegistration } from '../../api/shapes/registration.ts';
import { normalizeRegistration } from './normalize.ts';

const TO_WEB = { DestinationServiceName: 'web' };
const port = (Name: string, Port: number) => ({ Name, Port });
const NODE = { Node: 'n', Address: '10.0.0.1' };

describe('a registration', () => {
  const every = { Interval: '5s' };
  it.each<[string, CheckDefinition]>([
    ['http', { HTTP: 'http://a/', ...every }],
    ['tcp', { TCP: 'a:1', ...every }],
    ['udp', { UDP: 'a:1', ...every }],
    ['grpc', { GRPC: 'a:1', ...every }],
    ['h2ping', { H2PING: 'a:1', ...every }],
    ['ttl', { TTL: '10s' }],
    ['alias', { AliasService: 'web' }],
    ['script', { ScriptArgs: ['true'], ...every }],
    ['docker', { ScriptArgs: ['true'], DockerContainerID: 'c', ...every }],
    ['os_service', { OSService: 's', ...every }],
    ['', { HTTP: 'http://a/' }],
    ['', {}],
  ])('gives a check without a type that of its definition: %s', (type, definition) => {
    const typeOf = (Type?: string) => {
      const check = { CheckID: 'c', Definition: definition, ...(Type ? { Type } : {}) };
      return normalizeRegistration({ ...NODE, Check: check }).checks[0]!.type;
    };
    expect([typeOf(), typeOf('mine')]).toEqual([type, 'mine']);
  });

  it.each<[object | undefined, object]>([
    [undefined, { Passing: 1, Warning: 1 }],
    [
      { Passing: 0, Warning: 0 },
      { Passing: 1, Warning: 1 },
    ],
    [
      { Passing: 0, Warning: 5 },
      { Passing: 1, Warning: 1 },
    ],
    [
      { Passing: 5, Warning: 70_000 },
      { Passing: 1, Warning: 1 },
    ],
    [{ Passing: 5 }, { Passing: 5, Warning: 0 }],
    [
      { Passing: 65_535, Warning: 0 },
      { Passing: 65_535, Warning: 0 },
    ],
  ])('has weights that make sense: %j', (given, weights) => {
    const service: ServiceRegistration = { Service: 'web', ...(given ? { Weights: given as never } : {}) };
    expect(normalizeRegistration({ ...NODE, Service: service }).instance?.content.Weights).toEqual(weights);
  });

  it.each<[string, Partial<ServiceRegistration>]>([
    ['Port or SocketPath must be set for a connect-proxy', { Kind: 'connect-proxy', Proxy: TO_WEB }],
    ['Proxy.DestinationServiceName must be non-empty', { Kind: 'connect-proxy', Port: 1 }],
    ['Connect.Native must not be set', { Kind: 'connect-proxy', Port: 1, Proxy: TO_WEB, Connect: { native: true } }],
    [
      'upstream destination name cannot be empty',
      { Kind: 'connect-proxy', Port: 1, Proxy: { ...TO_WEB, Upstreams: [{ LocalBindPort: 9 }] } },
    ],
    ['Port must be non-zero for a mesh-gateway', { Kind: 'mesh-gateway' }],
    ['Proxy.DestinationServiceName must not be set', { Kind: 'mesh-gateway', Port: 1, Proxy: TO_WEB }],
    ['Ports[1].Name: HTTP is given twice', { Ports: [port('http', 80), port('HTTP', 81)] }],
    ['Service.Port 81 is not the default one', { Port: 81, Ports: [port('http', 80)] }],
  ])('is refused with: %s', (text, more) => {
    const registration = { ...NODE, Service: { Service: 's', ...more } };
    expect(() => normalizeRegistration(registration)).toThrow(
      expect.objectContaining({ code: 'badRequest', message: expect.stringContaining(text) }),
    );
  });

  it('may have upstreams without listeners: an entry can make the proxy a transparent one', () => {
    const given = { ...TO_WEB, Upstreams: [{ DestinationName: 'db' }] };
    const registration = { ...NODE, Service: { Service: 's', Kind: 'connect-proxy', Port: 1, Proxy: given } };
    expect(normalizeRegistration(registration).instance?.content.Proxy).toEqual(given);
  });
});
