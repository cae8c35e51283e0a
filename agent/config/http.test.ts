import { parseAgentConfig } from '../config.ts';
import { httpPolicy } from '../http-listeners.ts';

const parse = (hcl: string, ...flags: string[]) =>
  parseAgentConfig(['-dev', '-config-file', 'a.hcl', ...flags], {
    readFile: () => hcl,
    readFolder: () => [],
    hostname: () => 'machine',
  });

describe('http_config and its neighbours', () => {
  it("has Consul's defaults, but for the size of headers", () => {
    const { config } = parse('');
    expect(config).toMatchObject({
      http: {
        blockEndpoints: [],
        responseHeaders: {},
        allowWriteFrom: [],
        useCache: true,
        defaultQueryMs: 300_000,
        maxQueryMs: 600_000,
        discoveryMaxStaleMs: 0,
        translateWanAddresses: false,
      },
      maxHeaderBytes: 65_536,
      httpsHandshakeTimeoutMs: 5_000,
      rpcHandshakeTimeoutMs: 5_000,
      maxConnectionsPerClient: 200,
      unixSockets: { user: '', group: '', mode: undefined },
    });
  });

  it('takes every key without a warning, and flags', () => {
    const { config, warnings } = parse(
      `http_config {
         block_endpoints = ["/v1/acl"] use_cache = false max_header_bytes = 2048
         allow_write_http_from = ["10.0.0.0/8"] response_headers { "X-A" = "b" }
       }
       limits { rpc_handshake_timeout = "3s" }
       unix_sockets { user = "root" group = "12" mode = "0660" }
       translate_wan_addrs = true discovery_max_stale = "7s"`,
      '-allow-write-http-from=::1/128',
      '-default-query-time=20m',
      '-max-query-time=15m',
    );
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({
      http: {
        blockEndpoints: ['/v1/acl'],
        responseHeaders: { 'X-A': 'b' },
        allowWriteFrom: ['10.0.0.0/8', '::1/128'],
        useCache: false,
        defaultQueryMs: 900_000,
        maxQueryMs: 900_000,
        discoveryMaxStaleMs: 7_000,
        translateWanAddresses: true,
      },
      maxHeaderBytes: 2048,
      rpcHandshakeTimeoutMs: 3_000,
      unixSockets: { user: 'root', group: '12', mode: 0o660 },
    });
    expect(httpPolicy(config).headers).toEqual({ 'x-a': 'b', 'x-consul-translate-addresses': 'true' });
  });

  it.each([
    ['["127.0.0.0/8"]', '127.0.0.1', true],
    ['["127.0.0.0/8"]', '::ffff:127.0.0.1', true],
    ['["127.0.0.0/8"]', '10.0.0.1', false],
    ['["127.0.0.0/8"]', '::1', false],
    ['["127.0.0.0/8"]', '', true],
    ['["255.255.255.255/32"]', '127.0.0.1', false],
    ['["255.255.255.255/32"]', '', false],
    ['["10.0.0.1/32", "fd00::/8"]', 'fd00::7', true],
    ['[]', '10.0.0.1', true],
  ])('with allow_write_http_from = %s, %s may write: %s', (networks, address, may) => {
    const { config } = parse(`http_config { allow_write_http_from = ${networks} }`);
    expect(httpPolicy(config).mayWrite(address)).toBe(may);
  });

  it.each([
    [
      'http_config { allow_write_http_from = ["10.0.0.1"] }',
      /allow_write_http_from: "10\.0\.0\.1" must be a network in CIDR/,
    ],
    ['http_config { allow_write_http_from = ["10.0.0.0/33"] }', /must be a network in CIDR/],
    [
      'http_config { block_endpoints = ["v1/acl"] }',
      /block_endpoints: "v1\/acl" blocks nothing: write the beginning of a path/,
    ],
    ['http_config { response_headers { "a b" = "c" } }', /response_headers\.a b: cannot be sent/],
    ['http_config { response_headers { a = "b\\nc" } }', /response_headers\.a: cannot be sent/],
    ['http_config { response_headers { Content-Length = "1" } }', /is set by the agent for each answer/],
    ['http_config { max_header_bytes = 10 }', /max_header_bytes: must be from 1024 to/],
    ['http_config { blocked_endpoints = [] }', /did you mean "http_config\.block_endpoints"\?/],
    ['unix_sockets { mode = "999" }', /unix_sockets\.mode: "999" must be three octal digits/],
    ['max_query_time = "48h"', /max_query_time: must be at most 24h/],
  ])('refuses %s', (hcl, message) => {
    expect(() => parse(hcl)).toThrow(message);
  });
});
