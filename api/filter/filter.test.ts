import { filterOf } from './filter-cache.ts';
import { FILTER_LIMITS } from './parser.ts';
import { CATALOG_ROW, HEALTH_ROW } from './rows.ts';

const one = {
  Node: 'f1',
  Address: '10.6.0.1',
  NodeMeta: { os: 'linux', 'odd key': 'q' },
  ServiceTags: ['red', 'hot'],
  ServicePort: 100,
  ServiceMeta: { version: '12' },
  ServiceEnableTagOverride: true,
};
const two = { ...one, Node: 'f2', NodeMeta: { os: 'bsd' }, ServiceTags: ['blue'], ServicePort: 200 };
const three = { ...one, Node: 'f3', NodeMeta: null, ServiceTags: [], ServicePort: 300, ServiceMeta: {} };
const chosen = (expression: string) =>
  [one, two, three]
    .filter(filterOf(expression, CATALOG_ROW))
    .map(({ Node }) => Node.slice(1))
    .join('');

describe('filters', () => {
  it.each([
    ['', '123'],
    ['Node==f1', '1'],
    ['Node == `f1`', '1'],
    ['ServicePort != 200', '13'],
    ['ServicePort == "0xC8"', '2'],
    ['ServiceEnableTagOverride == true', '123'],
    ['red in ServiceTags', '1'],
    ['red not in ServiceTags', '23'],
    ['ServiceTags contains "blue"', '2'],
    ['ServiceTags not contains blue', '13'],
    ['ServiceTags is empty', '3'],
    ['ServiceTags is not empty', '12'],
    ['NodeMeta["odd key"] == q', '1'],
    ['os not in NodeMeta', '3'],
    ['NodeMeta is empty', '3'],
    ['NodeMeta.os != linux', '23'],
    ['ServiceMeta.version matches "^1"', '123'],
    ['ServiceMeta.version not matches "^1"', '3'],
    ['Node == f1 or Node == f3 and ServicePort == 300', '13'],
    ['(Node == f1 or Node == f3) and ServicePort == 300', '3'],
    ['not (Node == f1 or not Node == f3)', '3'],
    ['(not Node == f1)', '23'],
    ['"\\x66\\u0032" in Node', '2'],
  ])('%s', (expression, expected) => {
    expect(chosen(expression)).toBe(expected);
  });

  it('match any element of a list of records', () => {
    const rows = [{ Checks: [{ Status: 'passing' }, { Status: 'warning' }] }, { Checks: [] }];
    expect(rows.map(filterOf('Checks.Status != passing', HEALTH_ROW))).toEqual([true, false]);
  });

  it.each([
    ['"f1" == Node', /no match found/],
    ['Node ==', /expected a value, got the end/],
    ['(Node == f1', /expected "\)", got the end/],
    ['Node AND 1', /no match found/],
    ['Node == "\\q"', /invalid escape/],
    ['Node == f1 and(Node == f2)', /no match found/],
    ['ServiceMeta.absent is empty', /Invalid match operator "Is Empty" for selector "ServiceMeta.absent"/],
    ['ServicePort contains 2', /Invalid match operator "In" for selector "ServicePort"/],
    ['NoField == 1', /Selector "NoField" is not valid/],
    ['constructor == 1', /Selector "constructor" is not valid/],
    ['Node.More == 1', /Selector "Node.More" is not valid/],
    ['ServicePort == abc', /strconv.ParseInt: parsing "abc": invalid syntax/],
    ['Node matches "["', /Failed to compile regular expression "\[": error parsing regexp: missing closing \]: `\[`/],
    [
      Array(3).fill('Node matches "a{900}"').join(' or '),
      /patterns have 2700 steps with their repetitions written out, together more than 2000/,
    ],
    [`Node == "${'x'.repeat(FILTER_LIMITS.length)}"`, /longer than 16384/],
    [`${'('.repeat(101)}Node == f1${')'.repeat(101)}`, /nested deeper than 100/],
  ])('refuse %.40s', (expression, text) => {
    expect(() => filterOf(expression, CATALOG_ROW)).toThrow(
      expect.objectContaining({ code: 'filterInvalid', message: expect.stringMatching(text) }),
    );
  });

  it('are not held up by a pattern that would take exponential time', () => {
    const wanted = filterOf('Node matches "^(a*)*b$"', CATALOG_ROW);
    expect(wanted({ Node: 'a'.repeat(5000) })).toBe(false);
  });
});
