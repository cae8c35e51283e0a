import type { Member } from '../../api/routes/agent-local-backend.ts';
import type { Node } from '../../api/shapes/catalog.ts';
import { AppError } from '../../core/errors.ts';
import { knownMembers } from './known-members.ts';

const node = (name: string) => ({ Node: name, ID: `id-${name}`, Address: '10.0.0.1', Datacenter: 'dc1' }) as Node;
const member = (Name: string, Port: number): Member => ({ Name, Addr: '10.0.0.1', Port, Tags: {}, Status: 1 });

describe('known members', () => {
  const { signal } = new AbortController();
  let answer: readonly Member[] | undefined;
  const catalog = {
    members: async () => {
      if (!answer) throw new AppError('unavailable', 'no server answers');
      return answer;
    },
  };
  const ports = (members: readonly Member[]) => members.map(({ Name, Port }) => [Name, Port]);

  it('are what the servers know, and without an answer the servers with the ports that were heard of', async () => {
    const members = knownMembers(catalog, { servers: async () => [node('s1'), node('s2')] });
    answer = undefined;
    expect(ports(await members(signal))).toEqual([
      ['s1', 8301],
      ['s2', 8301],
    ]);
    answer = [member('s1', 22_301), member('n1', 22_401)];
    expect(await members(signal)).toBe(answer);
    answer = undefined;
    expect(ports(await members(signal))).toEqual([
      ['s1', 22_301],
      ['s2', 8301],
    ]);
  });

  it('show the servers at the ports for other datacenters that were heard of, too', async () => {
    const members = knownMembers(catalog, { servers: async () => [node('s1'), node('s2')] });
    answer = [{ ...member('s1', 22_301), Tags: { role: 'consul', wan_join_port: '22302' } }];
    await members(signal);
    answer = undefined;
    expect((await members(signal)).map(({ Tags }) => Tags.wan_join_port)).toEqual(['22302', undefined]);
  });

  it('are none when not even the servers are known', async () => {
    const servers = () => Promise.reject(new AppError('unavailable', 'no server answers'));
    answer = undefined;
    expect(await knownMembers(catalog, { servers })(signal)).toEqual([]);
  });
});
