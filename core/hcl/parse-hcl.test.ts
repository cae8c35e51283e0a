import { parseHcl } from './parse-hcl.ts';

const read = (text: string) => parseHcl(text).value;

describe('parseHcl', () => {
  it('reads what agents are configured with', () => {
    expect(
      read(`
# the node
node_name = "n1" // its name
server = true /* over
two lines */
ports { dns = 8600, http = -1 }
retry_join = [ "a", "b", ]
node_meta = { rack = "r1", "with space" = "x" }
telemetry { prefix_filter = ["+a"] disable_hostname = true }
`),
    ).toEqual({
      node_name: 'n1',
      server: true,
      ports: { dns: 8600, http: -1 },
      retry_join: ['a', 'b'],
      node_meta: { rack: 'r1', 'with space': 'x' },
      telemetry: { prefix_filter: ['+a'], disable_hostname: true },
    });
  });

  it('makes lists of repeated blocks, and objects of labels', () => {
    expect(read('service { name = "a" }\nservice { name = "b" }\nservice { name = "c" }')).toEqual({
      service: [{ name: 'a' }, { name: 'b' }, { name: 'c' }],
    });
    expect(read('service "web" { port = 80 }')).toEqual({ service: { web: { port: 80 } } });
    expect(read('a { b { c = 1 } b { c = 2 } }')).toEqual({ a: { b: [{ c: 1 }, { c: 2 }] } });
  });

  it.each<[string, unknown]>([
    ['a = 010', 8],
    ['a = 0x1F', 31],
    ['a = 1.5e3', 1500],
    ['a = -0x10', -16],
    ['a = "\\t\\"\\\\\\u00e9\\x41\\101\\U0001F600"', '\t"\\éAA😀'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: HCL writes interpolations so
    ['a = "x ${y {z} "q"} w"', 'x ${y {z} "q"} w'],
    ['a = <<EOF\nline 1\n  line 2\nEOF\n', 'line 1\n  line 2\n'],
    ['a = <<-EOF\n    line 1\n      line 2\n    EOF\n', 'line 1\n  line 2\n'],
    ['a = <<EOF\r\nx\r\nEOF\r\n', 'x\n'],
    ['a = [[1], {b = 2}, "c"]', [[1], { b: 2 }, 'c']],
    ['a = []', []],
    ['a = {}', {}],
    ['{"a": null}', null],
    ['{"a": {"b": [1, true]}}', { b: [1, true] }],
  ])('reads %s', (text, value) => {
    expect(read(text)).toEqual({ a: value });
  });

  it('keeps odd names as plain keys', () => {
    const value = read('__proto__ { polluted = true }\nconstructor = 1\na-b.c = 2');
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor', 'a-b.c']);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it('tells which keys are given twice', () => {
    expect(parseHcl('a = 1\np { x = 1\n x = 2 }\na = 2')).toEqual({
      value: { a: 2, p: { x: 2 } },
      duplicates: [
        { key: 'p.x', line: 3 },
        { key: 'a', line: 4 },
      ],
    });
  });

  it.each<[string, RegExp]>([
    ['a = ', /^line 1, column 5: expected a value .* found the end of the file$/],
    ['a = b', /column 5: expected a value \(text stands in quotes\), found "b"$/],
    ['a\nb = 1', /expected \{ after the labels/],
    ['a = "x', /^line 1, column 5: this string has no end/],
    ['a = "\\q"', /\\q is no escape/],
    ['a = "\\U99999999"', /no escape/],
    ['a = [1 2]', /expected , or \] after an element of a list, found "2"/],
    ['a {', /expected a key, found the end of the file/],
    ['x = 1\n}', /^line 2, column 1: expected a key, found "}"/],
    ['/* x', /this comment has no end/],
    ['a = <<EOF\nx', /this text has no end; write EOF/],
    ['a = << EOF', /a word that ends the text/],
    ['a = 089', /089 is no number/],
    ['a = 1e999', /1e999 is no number/],
    ['a = 12abc', /not expected here/],
    ['"a" = "${"', /has no end; write \}/],
    [`a = ${'['.repeat(70)}`, /more than 64 levels/],
    ['{"a": 1} b', /expected the end of the file/],
    ['@', /"@" is not expected here/],
  ])('refuses %s', (text, message) => {
    expect(() => parseHcl(text)).toThrow(message);
  });
});
