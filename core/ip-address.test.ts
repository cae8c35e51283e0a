import { canonicalAddress } from './ip-address.ts';

describe('canonical address', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['2001:0DB8:0000:0001:0000:0000:0000:0006', '2001:db8:0:1::6'],
    ['2001:db8:0:1::6', '2001:db8:0:1::6'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['fe80::1%eth0', undefined],
    ['web', undefined],
    ['', undefined],
  ])('of %s is %s', (text, expected) => {
    expect(canonicalAddress(text)).toBe(expected);
  });
});
