import * as fc from 'fast-check';
import { placeOf } from './keys.ts';
import { type PackedKind, packRecord, unpackRecord } from './packed-records.ts';
import { encodeRecord } from './records.ts';

const PLACE = placeOf('node-1/default/web-1');

const name = fc.oneof(fc.constantFrom('', 'node-1', 'Node-1', 'web-1', 'WEB-1', 'default', 'team'), fc.string());
const ownership = { owner: name, ref: name, hash: name };
const place = { node: name, namespace: name };
const json = fc.dictionary(fc.string(), fc.jsonValue());

const RECORDS: Readonly<Record<PackedKind, fc.Arbitrary<object>>> = {
  instance: fc.record({
    ...ownership,
    ...place,
    content: fc.record(
      {
        ID: name,
        Service: name,
        Tags: fc.array(fc.string(), { maxLength: 3 }),
        Address: name,
        Meta: fc.option(fc.dictionary(fc.string(), fc.string())),
        Port: fc.constantFrom(0, 80),
        Weights: fc.record({ Passing: fc.constantFrom(1, 5), Warning: fc.constantFrom(1, 0) }),
        EnableTagOverride: fc.boolean(),
        Kind: fc.constantFrom('connect-proxy'),
        Ports: fc.array(json, { maxLength: 2 }),
        Proxy: json,
        Connect: json,
        Locality: json,
      },
      { requiredKeys: ['ID', 'Service', 'Tags', 'Address', 'Meta', 'Port', 'Weights', 'EnableTagOverride'] },
    ),
  }),
  checkDefinition: fc.record(
    {
      ...ownership,
      ...place,
      checkId: name,
      name,
      notes: name,
      serviceId: name,
      type: name,
      interval: name,
      timeout: name,
      exposedPort: fc.constantFrom(0, 8080),
      definition: json,
      heartbeatMs: fc.nat(),
      serfPort: fc.nat(),
    },
    { requiredKeys: ['owner', 'ref', 'hash', 'node', 'namespace', 'checkId', 'name', 'notes', 'serviceId'] },
  ),
  checkState: fc.record(
    { status: fc.constantFrom('passing', 'critical'), output: name, since: fc.nat() },
    { requiredKeys: ['status', 'output'] },
  ),
};
/** What a check's definition always has. */
const WHOLE_DEFINITION = { type: '', interval: '', timeout: '', exposedPort: 0, definition: {} };

describe('packed records', () => {
  it.each(Object.keys(RECORDS) as PackedKind[])('of the kind %s are the same after it, in either form', (kind) => {
    void fc.assert(
      fc.property(RECORDS[kind], (made) => {
        const record = kind === 'checkDefinition' ? { ...WHOLE_DEFINITION, ...made } : made;
        const plain = encodeRecord(record);
        const packed = packRecord(kind, record, PLACE);
        expect(packed[0]).toBe('[');
        expect(unpackRecord(kind, JSON.parse(packed), PLACE)).toEqual(JSON.parse(plain));
        expect(unpackRecord(kind, JSON.parse(plain), PLACE)).toEqual(JSON.parse(plain));
      }),
      { numRuns: 500 },
    );
  });

  it('leave out what the key says and what goes without saying', () => {
    const content = { ID: 'web-1', Service: 'web', Tags: [], Address: '', Meta: null, Port: 80 };
    const weights = { Weights: { Passing: 1, Warning: 1 }, EnableTagOverride: false };
    const own = { owner: '', ref: '', hash: '', node: 'node-1', namespace: 'default' };
    expect(packRecord('instance', { ...own, content: { ...content, ...weights } }, PLACE)).toBe(
      '[{"content":{"Service":"web","Port":80}}]',
    );
    expect(packRecord('checkState', { status: 'passing', output: '', since: 5 }, PLACE)).toBe(
      '[{"status":"passing","since":5}]',
    );
  });

  it('keep the spelling of names that differ from the key', () => {
    const definition = { ...WHOLE_DEFINITION, checkId: 'Web-1', node: 'Node-1', namespace: 'default' };
    const rest = { name: '', notes: '', serviceId: '', owner: '', ref: '', hash: '' };
    expect(packRecord('checkDefinition', { ...definition, ...rest }, PLACE)).toBe(
      '[{"node":"Node-1","checkId":"Web-1"}]',
    );
  });

  it('are refused when they are something else', () => {
    const damaged: [PackedKind, unknown][] = [
      ...[[], [5], [null], ['x'], [[]], [{}, {}], 5, null, {}].flatMap((parsed): [PackedKind, unknown][] =>
        (['instance', 'checkState'] as const).map((kind) => [kind, parsed]),
      ),
      ['checkDefinition', [5]],
      ['checkDefinition', [{ definition: 'x' }]],
      ['checkDefinition', [{ state: 5 }]],
      ['checkDefinition', [{ state: { output: 'no status' } }]],
      ['checkState', [{ output: 'no status' }]],
      ['instance', [{ content: {} }]],
      ['instance', [{ content: { Service: 'web', Tags: {} } }]],
      ['instance', { node: 'n', content: { ID: 'x' } }],
    ];
    for (const [kind, parsed] of damaged) expect(() => unpackRecord(kind, parsed, PLACE)).toThrow(/must be/);
  });

  it('hold what a field is named, whatever its name', () => {
    const content = JSON.parse('{"ID":"web-1","Service":"web","__proto__":{"Kind":"mesh-gateway"}}') as object;
    const whole = { Tags: [], Address: '', Meta: null, Port: 0, Weights: { Passing: 1, Warning: 1 } };
    const record = { owner: '', ref: '', hash: '', node: 'node-1', namespace: 'default' };
    const packed = packRecord('instance', { ...record, content: { ...whole, ...content } }, PLACE);
    const { content: read } = unpackRecord('instance', JSON.parse(packed), PLACE) as { content: { Kind?: string } };
    expect([read.Kind, Object.keys(read).includes('__proto__')]).toEqual([undefined, true]);
  });
});
