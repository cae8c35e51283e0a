import type { CheckDefinitionRecord, InstanceRecord } from './records.ts';
import { SharedValues } from './shared-values.ts';

describe('shared values', () => {
  const instance = (id: string, tags: readonly string[]): InstanceRecord =>
    JSON.parse(
      JSON.stringify({
        node: 'a-node-with-a-long-name',
        namespace: 'default',
        owner: '',
        ref: '',
        hash: '',
        content: { ID: id, Service: 'web', Tags: tags, Meta: null, Port: 80, Weights: { Passing: 1, Warning: 1 } },
      }),
    ) as InstanceRecord;
  const definition = (checkId: string): CheckDefinitionRecord =>
    JSON.parse(JSON.stringify({ node: 'n', checkId, name: 'alive', serviceId: 'web-1', definition: {} })) as never;

  it('leave records as they are', () => {
    const shared = new SharedValues();
    for (const tags of [['v1'], [], ['v1'], ['a","b'], ['a', 'b'], ['["a"]']]) {
      expect(shared.instance(instance('web-1', tags))).toEqual(instance('web-1', tags));
    }
    expect(shared.definition(definition('c'), undefined)).toEqual(definition('c'));
    expect(shared.definition(definition('c'), instance('WEB-1', []))).toEqual(definition('c'));
    const http = { ...definition('c'), definition: { HTTP: 'http://x' } };
    expect(shared.definition(structuredClone(http), instance('web-1', []))).toEqual(http);
  });

  it('are one object for equal tags, weights and empty definitions', () => {
    const shared = new SharedValues();
    const [one, other] = ['web-1', 'web-2'].map((id) => shared.instance(instance(id, ['v1', 'canary'])).content);
    expect(other!.Tags).toBe(one!.Tags);
    expect(other!.Weights).toBe(one!.Weights);
    expect(() => other!.Tags.push('x')).toThrow(TypeError);
    const [weighted, too] = ['web-1', 'web-2'].map((id) => {
      const record = instance(id, []);
      record.content.Weights = { Passing: 5, Warning: 2 };
      return shared.instance(record).content;
    });
    expect(too!.Weights).toBe(weighted!.Weights);
    expect(too!.Weights).toEqual({ Passing: 5, Warning: 2 });
    const [c, d] = ['c', 'd'].map((id) => shared.definition(definition(id), instance('web-1', [])).definition);
    expect(d).toBe(c);
  });

  it('survive more distinct values than are known at a time', () => {
    const shared = new SharedValues();
    for (let n = 0; n < 40_000; n++) {
      expect(shared.instance(instance('web-1', [`t${n}`])).content.Tags[0]).toBe(`t${n}`);
    }
  });
});
