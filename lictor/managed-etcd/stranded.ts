import type { Member } from './members.ts';

export interface StrandedFacts {
  readonly members: readonly Omit<Member, 'id'>[];
  readonly ownName: string;
  /** Of this server, as it is now. */
  readonly peerUrl: string;
  /** `host:port` of the other servers that have been heard of, by name. */
  readonly heard: ReadonlyMap<string, string>;
}

/**
 * What keeps members with their data from each other: each dials the others where it last knew them, so those that have
 * moved reach those alone that have not. Undefined as long as one is where it was, or this server has not moved itself.
 */
export function strandedText({ members, ownName, peerUrl, heard }: StrandedFacts): string | undefined {
  const moved: string[] = [];
  const silent: string[] = [];
  for (const { name, learner, peerUrls } of members) {
    if (learner) continue;
    const was = peerUrls.map((url) => new URL(url).host).join(', ');
    const now = name === ownName ? new URL(peerUrl).hostname : hostOf(heard.get(name));
    if (now === undefined) silent.push(`${name} at ${was}`);
    else if (name === ownName ? peerUrls.includes(peerUrl) : peerUrls.some((url) => new URL(url).hostname === now))
      return;
    else moved.push(`${name} (was at ${was}, is at ${now})`);
  }
  const wait = silent.length > 0 ? `; those that have not been heard of: ${silent.join(', ')}` : '';
  const way = silent.length > 0 ? 'bring one of those back where it was' : 'start one of them where it was';
  return (
    `the members of etcd do not find each other, because they have moved at once: ${moved.join(', ')}${wait}. ` +
    `Etcd learns where a member is from those that stayed: ${way}, and it goes on by itself; or begin anew from the member ` +
    'that knows most (docs/servers.md, "All servers have moved at once")'
  );
}

function hostOf(address: string | undefined): string | undefined {
  return address === undefined ? undefined : new URL(`http://${address}`).hostname;
}
