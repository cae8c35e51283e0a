import { parseDefinitions } from '../definition-file.ts';
import { servicesOf } from './definitions.ts';

function read(text: string, name = 'web.hcl') {
  return servicesOf({ name, value: parseDefinitions(name, text).value });
}
const bodies = (text: string, name?: string) =>
  read(text, name).services.map(({ body }) => JSON.parse(JSON.stringify(body)) as object);

describe('service definitions', () => {
  it('come from service and services, once or repeated, in HCL or JSON', () => {
    const ids = (text: string, name?: string) => read(text, name).services.map(({ id, name: own }) => [id, own]);
    expect(ids('service { name = "web" }')).toEqual([['web', 'web']]);
    expect(ids('service { name = "web" id = "w1" }\nservice { name = "web" id = "w2" }')).toEqual([
      ['w1', 'web'],
      ['w2', 'web'],
    ]);
    expect(ids('services = [{ name = "a" }, { name = "b" }]').length).toBe(2);
    expect(ids('{"service": {"Name": "web"}, "Services": [{"name": "db"}]}', 'x.json').length).toBe(2);
    expect(ids('{"service": {"name": "web"}}', 'standard input')).toEqual([['web', 'web']]);
  });

  it('give blocks the form of JSON: lists for one block, checks for several check', () => {
    expect(
      bodies(`service {
        name = "web"
        check { ttl = "1s" }
        check { tcp = "a:1" interval = "1s" }
        ports { name = "http" port = 80 }
        connect { sidecar_service { proxy { upstreams { destination_name = "db" local_bind_port = 1 } } } }
      }`),
    ).toEqual([
      {
        name: 'web',
        checks: [{ ttl: '1s' }, { tcp: 'a:1', interval: '1s' }],
        ports: [{ name: 'http', port: 80 }],
        connect: { sidecar_service: { proxy: { upstreams: [{ destination_name: 'db', local_bind_port: 1 }] } } },
      },
    ]);
    expect(bodies('{"service": {"name": "web", "check": [{"ttl": "1s"}], "meta": [{"a": "b"}]}}', 'a.json')).toEqual([
      { name: 'web', check: { ttl: '1s' }, meta: { a: 'b' } },
    ]);
  });

  it('keep scripts for the agent to judge, and name other keys', () => {
    expect(read('service { name = "a" check { args = ["true"] interval = "1s" } }\nlog_level = "warn"')).toMatchObject({
      services: [{ id: 'a' }],
      others: ['log_level'],
    });
  });

  it.each([
    ['', /web\.hcl is empty/],
    ['service { name = "a"', /web\.hcl: line 1.*expected/],
    ['servce { name = "a" }', /defines no service; did you mean service where it says "servce"\?/],
    ['name = "a"', /put the definition into service \{ … \}/],
    ['service { name = "a" prot = 1 }', /web\.hcl: service: unknown field "prot"; did you mean "port"\?/],
    ['service { port = 1 }', /web\.hcl: service: Missing service name/],
    ['service { name = "a" }\nservice { name = "b" port = 70000 }', /service\[1\]: Invalid Port: 70000/],
    ['service = "web"', /service must be an object/],
  ])('are refused: %s', (text, message) => {
    expect(() => read(text)).toThrow(message);
  });

  it.each([
    ['[]', /must hold one JSON object/],
    ['{"service": }', /x\.json: Unexpected token/],
  ])('are refused as JSON: %s', (text, message) => {
    expect(() => read(text, 'x.json')).toThrow(message);
  });
});
