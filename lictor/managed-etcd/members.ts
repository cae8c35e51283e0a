import { AppError } from '../../core/errors.ts';
import type { JsonCalls } from './json-calls.ts';

/** A member of etcd's cluster. Ids are 64 bits wide, so they stay texts. */
export interface Member {
  readonly id: string;
  /** '' until it has started for the first time. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly learner: boolean;
}

/** The members as etcd lists them, and their cluster. */
export interface Membership {
  readonly clusterId: string;
  /** The member that answered. */
  readonly ownId: string;
  readonly members: readonly Member[];
}

/** Etcd's own limit for a proposal is 5 s and two election timeouts. */
const CALL_MS = 10_000;

interface WireMember {
  readonly name?: string;
  readonly peerURLs?: readonly string[];
  readonly isLearner?: boolean;
}

/** Calls about members at one etcd, through its JSON gateway (etcd.io, "gRPC gateway"). Each has a deadline. */
export class EtcdMembers {
  /** E.g. `http://127.0.0.1:2379`. */
  readonly url: string;
  readonly #calls: JsonCalls;

  constructor(deps: { readonly calls: JsonCalls }, url: string) {
    this.#calls = deps.calls;
    this.url = url;
  }

  /**
   * As this member knows them: one that lags may be behind the others. `settled`: with all that a quorum had agreed on before the
   * call, for whoever concludes something from what is not in the list. @throws AppError `unavailable`, also without a quorum
   * then.
   */
  async list({ settled = false }: { readonly settled?: boolean } = {}): Promise<Membership> {
    // Etcd 3.4 has no other way; a member has applied all changes of members that come before what it reads by quorum.
    if (settled) await this.barrier();
    const answer = await this.#call<{
      header: { cluster_id: string; member_id: string };
      members?: readonly (WireMember & { readonly ID: string })[];
    }>('cluster/member/list', {});
    return {
      clusterId: answer.header.cluster_id,
      ownId: answer.header.member_id,
      members: (answer.members ?? []).map((one) => ({ id: one.ID, ...memberOf(one) })),
    };
  }

  /**
   * As the member with this peer URL knows them; also while it has no quorum, when etcd before 3.5 does not serve its client
   * port at all. @throws AppError `unavailable`.
   */
  async listAtPeerPort(peerUrl: string): Promise<Omit<Member, 'id'>[]> {
    const what = `${peerUrl}/members`;
    const { status, text } = await this.#calls.call('GET', what, undefined, CALL_MS);
    const answer = parsed(text, what);
    if (status === 200 && Array.isArray(answer)) return (answer as WireMember[]).map(memberOf);
    throw new AppError('unavailable', `${what}: ${status} ${text.slice(0, 200)}`);
  }

  /** @throws AppError `unavailable` with etcd's words, e.g. while another learner has not been promoted. */
  async addLearner(peerUrl: string): Promise<void> {
    await this.#call('cluster/member/add', { peerURLs: [peerUrl], isLearner: true });
  }

  /** @throws AppError `unavailable` with etcd's words, e.g. until the learner has caught up. */
  async promote(id: string): Promise<void> {
    await this.#call('cluster/member/promote', { ID: id });
  }

  /** The member has moved. @throws AppError `unavailable` with etcd's words. */
  async move(id: string, peerUrl: string): Promise<void> {
    await this.#call('cluster/member/update', { ID: id, peerURLs: [peerUrl] });
  }

  /** @throws AppError `unavailable` with etcd's words, e.g. when the others would be no quorum. */
  async remove(id: string): Promise<void> {
    await this.#call('cluster/member/remove', { ID: id });
  }

  /** The id of the member that leads etcd's Raft, '0' for none. @throws AppError `unavailable`. */
  async raftLeader(): Promise<string> {
    return (await this.#call<{ leader?: string }>('maintenance/status', {})).leader ?? '0';
  }

  /** To be called at the member that leads etcd's Raft: another one does from now on. @throws AppError `unavailable`. */
  async transferRaft(id: string): Promise<void> {
    await this.#call('maintenance/transfer-leadership', { targetID: id });
  }

  /** Waits for a quorum: a linearizable read of nothing. @throws AppError `unavailable`. */
  async barrier(): Promise<void> {
    await this.#call('kv/range', { key: 'AQ==', keys_only: true });
  }

  async #call<T>(path: string, body: object): Promise<T> {
    const what = `etcd ${this.url}, ${path}`;
    const { status, text } = await this.#calls.call('POST', `${this.url}/v3/${path}`, body, CALL_MS);
    const answer = parsed(text, what);
    if (status === 200) return answer as T;
    const { message, error } = answer as { message?: string; error?: string };
    throw new AppError('unavailable', `${what}: ${message ?? error ?? text.slice(0, 200)}`);
  }
}

function memberOf({ name = '', peerURLs = [], isLearner = false }: WireMember): Omit<Member, 'id'> {
  return { name, peerUrls: peerURLs, learner: isLearner };
}

function parsed(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError('unavailable', `${what}: the answer is not JSON: ${text.slice(0, 200)}`, { cause });
  }
}
