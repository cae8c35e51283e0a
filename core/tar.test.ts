import { execFileSync } from 'node:child_process';
import { TAR_END, tarHeader, tarPadding } from './tar.ts';

describe('tar', () => {
  it('is read by tar itself, names, sizes, modes and content', () => {
    const content = Buffer.alloc(700, 'x');
    const archive = Buffer.concat([
      tarHeader('a/empty', 0, 1_600_000_000_000),
      tarPadding(0),
      tarHeader('a/b.txt', content.length, 1_600_000_000_000),
      content,
      tarPadding(content.length),
      TAR_END,
    ]);
    const run = (...args: string[]) => execFileSync('tar', args, { input: archive, env: { TZ: 'UTC', LC_ALL: 'C' } });
    const listed = run('--list', '--verbose', '--file=-').toString();
    expect(listed).toMatch(/^-rw------- 0\/0 +0 2020-09-13 12:26 a\/empty\n-rw------- 0\/0 +700 .* a\/b\.txt\n$/);
    expect(run('--extract', '--to-stdout', '--file=-', 'a/b.txt').equals(content)).toBe(true);
  });
});
