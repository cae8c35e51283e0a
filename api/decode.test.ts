import { decodeDeregistration, decodeRegistration } from './shapes/decode-registration.ts';
import { decodeVerdictReport } from './shapes/decode-verdicts.ts';

const decode = (value: unknown) =>
  decodeRegistration(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));

describe('request bodies', () => {
  it('match field names without regard to case and underscores', () => {
    expect(
      decode({ NODE: 'n', address: '1.1.1.1', node_meta: { A_b: 'c' }, service: { service: 's', port: 3 } }),
    ).toEqual({
      Node: 'n',
      Address: '1.1.1.1',
      NodeMeta: { A_b: 'c' },
      Service: { Service: 's', Port: 3 },
    });
  });

  it('take durations as strings and as nanoseconds', () => {
    const body = { Node: 'n', Check: { Definition: { Interval: '60s', Timeout: 1500000000, TTL: '' } } };
    expect(decode(body).Check?.Definition).toEqual({ Interval: '1m0s', Timeout: '1.5s', TTL: '0s' });
  });

  it('take null as not given, and an absent body as an error', () => {
    expect(decode('null')).toEqual({ Node: '' });
    expect(decode({ Node: null, Service: null, Checks: [null] })).toEqual({ Node: '', Checks: [{}] });
    expect(() => decode('')).toThrow('Request decode failed: EOF');
  });

  it('accept what answers contain', () => {
    expect(decode({ Node: 'n', Service: { Service: 's', CreateIndex: 1, ModifyIndex: 2, PeerName: '' } })).toEqual({
      Node: 'n',
      Service: { Service: 's' },
    });
  });

  it('are not confused by names of object internals', () => {
    const body = '{"Node":"n","NodeMeta":{"__proto__":"x","constructor":"y"}}';
    const meta = decode(body).NodeMeta!;
    expect(Object.keys(meta)).toEqual(['__proto__', 'constructor']);
    expect(Object.getPrototypeOf(meta)).toBe(Object.prototype);
  });

  const bad: [string, unknown, string][] = [
    ['unknown field', { Node: 'n', Nope: 1 }, 'json: unknown field "Nope"'],
    ['unknown inner field', { Node: 'n', Service: { Nope: 1 } }, 'json: unknown field "Nope"'],
    [
      'string for int',
      { Service: { Port: '80' } },
      'json: cannot unmarshal string into field Service.Port of type int',
    ],
    ['fraction', { Service: { Port: 80.5 } }, 'field Service.Port of type int'],
    ['list for object', [], 'json: cannot unmarshal list into the body of type object'],
    ['number in a map', { NodeMeta: { a: 1 } }, 'field NodeMeta.a of type string'],
    [
      'bad duration',
      { Check: { Definition: { Interval: 'soon' } } },
      'field Check.Definition.Interval, want for example',
    ],
    ['cut off', '{"Node":', 'invalid character or end of input'],
    ['number too large', '{"Service":{"Proxy":{"a":1e999}}}', 'field Service.Proxy of type float64'],
    ['deep', { Service: { Proxy: JSON.parse('[['.repeat(50) + ']]'.repeat(50)) } }, 'nested more than 64'],
  ];
  it.each(bad)('refuse %s, naming it', (_, body, text) => {
    expect(() => decode(body)).toThrow(
      expect.objectContaining({ code: 'badRequest', message: expect.stringContaining(text) }),
    );
    expect(() => decode(body)).toThrow(/^Request decode failed: /);
  });

  it('decode deregistrations and verdicts', () => {
    expect(decodeDeregistration(Buffer.from('{"Node":"n","ServiceID":"s","Address":"x"}'))).toEqual({
      Node: 'n',
      ServiceID: 's',
    });
    const report = '{"HeartbeatMs":500,"Verdicts":[{"CheckID":"c","Status":"passing"}]}';
    expect(decodeVerdictReport(Buffer.from(report))).toEqual({
      HeartbeatMs: 500,
      Verdicts: [{ Namespace: 'default', CheckID: 'c', Status: 'passing', Output: '' }],
    });
    for (const body of [
      '{}',
      '{"HeartbeatMs":5,"Verdicts":[{"CheckID":"c","Status":"x"}]}',
      '{"HeartbeatMs":5,"Verdicts":[{"Status":"passing"}]}',
    ]) {
      expect(() => decodeVerdictReport(Buffer.from(body))).toThrow(expect.objectContaining({ code: 'badRequest' }));
    }
  });
});
