import type { JsonCalls } from './json-calls.ts';
import type { Member } from './members.ts';

/** A full member, and whether something answers at its peer port. */
export interface Voter {
  readonly name: string;
  readonly alive: boolean;
}

export function votersOf(members: readonly Member[], calls: Pick<JsonCalls, 'isAlive'>): Promise<Voter[]> {
  const voters = members.filter(({ learner }) => !learner);
  return Promise.all(
    voters.map(async ({ name, peerUrls }) => {
      const answers = await Promise.all(peerUrls.map((url) => calls.isAlive(url)));
      return { name, alive: answers.includes(true) };
    }),
  );
}

/** Why the rest could not go on without a member; undefined when it can. */
export function leaveRefusal(voters: readonly Voter[], name: string): string | undefined {
  const rest = voters.filter((one) => one.name !== name);
  const alive = rest.filter((one) => one.alive).length;
  if (rest.length === 0 || alive > rest.length / 2) return undefined;
  const silent = rest.filter((one) => !one.alive).map((one) => one.name);
  return (
    `without ${name} the other servers would have no quorum: ${silent.join(', ')} of ${rest.length} do not answer; ` +
    'bring them back or take them out (lictor operator raft remove-peer), or end this server with SIGTERM to come back'
  );
}

/**
 * Why a member that is dead cannot be taken out, by those that stay; undefined when it can: more than half of all have to
 * agree, and they are a quorum of the rest then, too.
 */
export function removalRefusal(rest: readonly Voter[], dead: Pick<Member, 'name' | 'learner'>): string | undefined {
  const all = rest.length + (dead.learner ? 0 : 1);
  const silent = rest.filter(({ alive }) => !alive).map(({ name }) => name || 'one that has not begun');
  const alive = rest.length - silent.length;
  if (alive > all / 2) return undefined;
  return (
    `the member that ${dead.name} was cannot be taken out of etcd: ${alive} of ${all} answer and more than half have to` +
    `${silent.length > 0 ? `, but not ${silent.join(', ')}` : ''}; bring others back, or see "A lost majority" in docs/servers.md`
  );
}
