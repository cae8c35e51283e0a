import { readFileSync } from 'node:fs';
import { fileProblem } from './file-problem.ts';

describe('fileProblem', () => {
  const caught = (path: string): unknown => {
    try {
      return readFileSync(path);
    } catch (error) {
      return error;
    }
  };

  it.each([
    ['/no/such/file', 'there is no such file or folder; check the path'],
    ['/', 'it is a folder; name a file'],
    [`${import.meta.filename}/x`, 'a part of the path is a file, not a folder; check the path'],
  ])('says of %s what is wrong, without the code and the path', (path, text) => {
    expect(fileProblem(caught(path))).toBe(text);
  });

  it('gives the text of any other error', () => {
    expect(fileProblem(new Error('broken'))).toBe('broken');
    expect(fileProblem(Object.assign(new Error('EIO: i/o error'), { code: 'EIO' }))).toBe('EIO: i/o error');
    expect(fileProblem('odd')).toBe('odd');
  });
});
