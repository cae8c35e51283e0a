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

  it('writes an error with its message', () => {
    const lines: string[] = [];
    createLogger({ sink: { write: (line) => lines.push(line) } }).error('failed', { err: new Error('EIO') });
    expect(JSON.parse(lines[0]!).err.message).toBe('EIO');
  });
});
