import { parseAgentConfig } from '../config.ts';

const files = (contents: Record<string, string>) => ({
  readFile: (path: string) => contents[path] ?? '',
  readFolder: () => [],
  hostname: () => 'n1',
});
const parse = (text: string, flags = '-dev', name = 'a.hcl') =>
  parseAgentConfig([...flags.split(' '), `-config-file=${name}`], files({ [name]: text }));
const inList = (...entries: object[]) => JSON.stringify({ config_entries: { bootstrap: entries } });

describe('config_entries.bootstrap', () => {
  it('holds entries in the form of the API, as blocks or as a list', () => {
    const { config, warnings } = parse(`
      config_entries {
        bootstrap {
          kind = "proxy-defaults"
          name = "global"
          config { local_connect_timeout_ms = 5 }
        }
        bootstrap {
          kind = "service-router"
          name = "web"
          routes = [{ match { http { path_prefix = "/admin" } }, destination { service = "admin" } }]
        }
      }`);
    expect(config.bootstrapEntries).toMatchObject([
      { Kind: 'proxy-defaults', Name: 'global', Config: { local_connect_timeout_ms: 5 } },
      {
        Kind: 'service-router',
        Name: 'web',
        Routes: [{ Match: { HTTP: { PathPrefix: '/admin' } }, Destination: { Service: 'admin' } }],
      },
    ]);
    expect(warnings).toEqual([]);
    const listed = parse(inList({ Kind: 'mesh' }, { kind: 'service-defaults', name: 'web' }), '-dev', 'a.json');
    expect(listed.config.bootstrapEntries.map(({ Name }) => Name)).toEqual(['mesh', 'web']);
  });

  it('has no effect in client mode, and says so', () => {
    const { warnings } = parse(inList({ Kind: 'mesh' }), '-data-dir=/d -retry-join=a', 'a.json');
    expect(warnings).toEqual([expect.stringContaining('config_entries.bootstrap has no effect in client mode')]);
  });

  it.each([
    ['no list', JSON.stringify({ config_entries: { bootstrap: 5 } }), /config_entries.bootstrap must be/],
    ['no kind', inList({ name: 'a' }), /config_entries.bootstrap\[0\].*does not contain a kind/],
    ['an unknown kind', inList({ kind: 'mesh' }, { kind: 'x' }), /bootstrap\[1\].*invalid config entry kind: x/],
    ['an unknown field', inList({ kind: 'service-defaults', name: 'a', protocl: 'x' }), /invalid config key "protocl"/],
    ['a wrong value', inList({ kind: 'service-defaults', name: 'a', protocol: 'x' }), /invalid value for protocol: x/],
    ['no name', inList({ kind: 'service-defaults' }), /Name is required/],
    [
      'an entry twice',
      inList({ kind: 'service-defaults', name: 'a' }, { kind: 'service-defaults', name: 'A' }),
      /bootstrap\[1\].*service-defaults "A" is given twice/,
    ],
    ['another key beside it', JSON.stringify({ config_entries: { bootstrp: [] } }), /config_entries.bootstrp is not/],
  ])('refuses %s', (_, text, error) => {
    expect(() => parse(text, '-dev', 'a.json')).toThrow(error);
  });
});
