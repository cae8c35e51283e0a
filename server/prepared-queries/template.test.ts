// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the templates' own syntax
import { decodeQuery } from '../../api/shapes/prepared-query.ts';
import { compileTemplate } from './template.ts';

function compiled(service: object, template: object = {}, name = 'geo-') {
  const body = { Name: name, Template: { Type: 'name_prefix_match', ...template }, Service: service };
  return compileTemplate(decodeQuery(Buffer.from(JSON.stringify(body))).content);
}
const render = (service: object, name: string, template: object = {}) =>
  compiled(service, template).render({ name, segment: 'alpha' });

describe('a query template', () => {
  it.each([
    ['${name.full}', 'geo-eu'],
    ['${name.prefix}|${name.suffix}', 'geo-|eu'],
    ['${ agent.segment }', 'alpha'],
    ['a$${name.full}', 'a${name.full}'],
    ['${match(0)}', ''],
    ['plain', 'plain'],
  ])('fills in %s', (text, expected) => {
    expect(render({ Service: text }, 'geo-eu').Service).toBe(expected);
  });

  it('fills in all texts of the service, with the groups of its regular expression', () => {
    const found = render(
      {
        Service: 'db-${match(2)}',
        Tags: ['${match(1)}', '${match(9)}'],
        NodeMeta: { zone: '${match(1)}' },
        Near: '_agent',
      },
      'geo-eu-orders',
      { Regexp: '^geo-(.*?)-([^-]+)$' },
    );
    expect(found).toMatchObject({ Service: 'db-orders', Tags: ['eu', ''], NodeMeta: { zone: 'eu' }, Near: '_agent' });
  });

  it('removes tags that became empty only when asked to', () => {
    const service = { Service: 's', Tags: ['${match(1)}', 'x'] };
    expect(render(service, 'geo-', { RemoveEmptyTags: true }).Tags).toEqual(['x']);
    expect(render(service, 'geo-').Tags).toEqual(['', 'x']);
  });

  it.each([
    ['another type', { Service: 's' }, { Type: 'other' }, "Bad Template.Type 'other'"],
    ['a bad pattern', { Service: 's' }, { Regexp: '(' }, 'Bad Regexp: error parsing regexp: missing closing ): `(`'],
    ['an unknown reference', { Service: '${name.middle}' }, {}, "unknown variable or function 'name.middle'"],
    ['an open reference', { Service: 's', Tags: ['${name'] }, {}, 'in Service.Tags[0]'],
  ])('with %s is refused', (_what, service, template, text) => {
    expect(() => compiled(service, template)).toThrow(text);
  });
});
