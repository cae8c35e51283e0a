import { metaRecords, metaText } from './meta-text.ts';

describe('node metadata as text', () => {
  // Keys and their quoted forms after the examples of RFC 1464 section 2.
  it.each([
    ['color', 'blue', 'color=blue'],
    ['equation', 'a=4', 'equation=a=4'],
    ['a=a', 'true', 'a`=a=true'],
    ['a\\=a', 'false', 'a\\`=a=false'],
    ['=', '\\=', '`==\\='],
    ['string', '"Cat"', 'string="Cat"'],
    ['string2', '`abc`', 'string2=`abc`'],
    ['a`b', 'x', 'a``b=x'],
    [' lead', 'x', '` lead=x'],
    ['trail\t', 'x', 'trail`\t=x'],
    ['in side', 'x', 'in side=x'],
    ['  ', 'x', '` ` =x'],
    ['rfc1035-raw', 'v=spf1', 'v=spf1'],
    ['RFC1035-raw', 'v=spf1', 'v=spf1'],
  ])('%j = %j gives %j', (key, value, text) => {
    expect(metaText(key, value)).toBe(text);
  });

  it('orders records by key and leaves out what no message could carry', () => {
    const records = metaRecords('n', 5, { b: '2', a: '1', c: 'x'.repeat(40_000) });
    expect(records).toEqual([
      { type: 'TXT', name: 'n', ttl: 5, text: 'a=1' },
      { type: 'TXT', name: 'n', ttl: 5, text: 'b=2' },
    ]);
    expect(metaRecords('n', 5, null)).toEqual([]);
  });
});
