import { socketOwner } from './socket-owner.ts';

const LISTS: Record<string, string> = {
  '/etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/var/www:/bin/false\n',
  '/etc/group': 'root:x:0:\nstaff:x:50:web\n',
};
const read = (path: string) => {
  if (path in LISTS) return LISTS[path]!;
  throw new Error('ENOENT');
};

describe('socketOwner', () => {
  it('takes names and numbers', () => {
    expect(socketOwner({ user: 'web', group: 'staff', mode: 0o660 }, read)).toEqual({ uid: 33, gid: 50, mode: 0o660 });
    expect(socketOwner({ user: '7', group: '8', mode: undefined }, read)).toEqual({ uid: 7, gid: 8, mode: undefined });
    expect(socketOwner({ user: '', group: '', mode: undefined }, read)).toEqual({
      uid: undefined,
      gid: undefined,
      mode: undefined,
    });
  });

  it('names what is not there', () => {
    expect(() => socketOwner({ user: 'we', group: '', mode: undefined }, read)).toThrow(
      'unix_sockets.user: /etc/passwd has no user "we"; give its number',
    );
    expect(() =>
      socketOwner({ user: '', group: 'x', mode: undefined }, () => {
        throw new Error('ENOENT');
      }),
    ).toThrow('unix_sockets.group: /etc/group cannot be read: ENOENT; give its number');
  });
});
