import { createLogger } from './log.ts';

describe('logger', () => {
  it('writes one JSON line with level, time, text and fields', () => {
    const lines: string[] = [];
    const log = createLogger({ sink: { write: (line) => lines.push(line) } }).child({ part: 'dns' });
    log.warn('slow answer', { ms: 12 });
    log.debug('not at this level');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toMatchObject({ level: 'warn', msg: 'slow answer', part: 'dns', ms: 12 });
  });

  it('writes milliseconds to a tenth, and other numbers as they are', () => {
    const lines: string[] = [];
    const fields = { ms: 0.04, waitMs: 312.85769285156493, wholeMs: 5000, share: 0.123456, items: 1.25 };
    createLogger({ sink: { write: (line) => lines.push(line) } }).info('waited', fields);
    expect(JSON.parse(lines[0]!)).toMatchObject({ ...fields, ms: 0, waitMs: 312.9 });
    expect(fields.waitMs).toBe(312.85769285156493);
  });

  it('writes an error with its message', () => {
    const lines: string[] = [];
    createLogger({ sink: { write: (line) => lines.push(line) } }).error('failed', { err: new Error('EIO') });
    expect(JSON.parse(lines[0]!).err.message).toBe('EIO');
  });

  it('hands lines to taps at their own levels, whatever the level of the sink', () => {
    const main: string[] = [];
    const tapped: string[] = [];
    const log = createLogger({ level: 'error', sink: { write: (line) => main.push(JSON.parse(line).msg) } });
    const child = log.child({ part: 'dns' });
    const untap = log.tap('debug', { write: (line) => tapped.push(JSON.parse(line).msg) });
    child.trace('too low');
    child.debug('low');
    log.error('high');
    log.setLevel('info');
    child.info('changed');
    untap();
    child.debug('nobody listens');
    child.info('late');
    expect(tapped).toEqual(['low', 'high', 'changed']);
    expect(main).toEqual(['high', 'changed', 'late']);
  });
});
