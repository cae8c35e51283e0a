import { AppError, ERROR_TABLE, errorRow, errorText } from './errors.ts';

describe('error table', () => {
  it('gives the row of a code', () => {
    expect(errorRow(new AppError('notSynced', 'x')).rcode).toBe('SERVFAIL');
    expect(errorRow(new AppError('tooLarge', 'x')).http).toBe(413);
  });

  it('treats anything else as a defect', () => {
    expect(errorRow(new TypeError('x'))).toBe(ERROR_TABLE.internal);
    expect(errorText('plain')).toBe('plain');
  });

  it('never lets an error look like absence, except notFound itself', () => {
    const absent = Object.entries(ERROR_TABLE).filter(([, row]) => row.rcode === 'NXDOMAIN' || row.http === 404);
    expect(absent.map(([code]) => code)).toEqual(['notFound']);
  });

  it('keeps the cause', () => {
    const cause = new Error('EIO');
    expect(new AppError('storeReadOnly', 'disk', { cause }).cause).toBe(cause);
  });
});
