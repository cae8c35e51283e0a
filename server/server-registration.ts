import { isIP } from 'node:net';
import type { Registration, WriterIdentity } from '../api/shapes/registration.ts';
import type { Clock } from '../core/clock.ts';
import { errorText } from '../core/errors.ts';
import type { RunContext, Runnable } from '../core/lifecycle.ts';
import type { Logger } from '../core/log.ts';
import type { CatalogState } from './catalog/state.ts';

/** The service under which servers are listed (Consul's name). */
export const SERVER_SERVICE = 'consul';
/** In its metadata: the port for other datacenters, 0 = it has none. */
export const WAN_PORT_META = 'lictor_wan_port';

export interface ServerIdentity {
  readonly nodeName: string;
  readonly nodeId: string;
  readonly nodeAddress: string;
  readonly serverPort: number;
  /** What it tells the other servers of itself. */
  readonly meta: Readonly<Record<string, string>>;
}

/** Between two looks whether to register: the store may refuse for a while. */
const RETRY_MS = 5000;

/** Lists this server in the catalog, as Consul lists its servers, so that clients and DNS find it. */
export class ServerRegistration implements Runnable {
  readonly name = 'server-registration';
  readonly #register: (registration: Registration, writer: WriterIdentity) => Promise<void>;
  readonly #state: Pick<CatalogState, 'onReset'>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #identity: ServerIdentity;

  constructor(
    deps: {
      register: (registration: Registration, writer: WriterIdentity) => Promise<void>;
      state: Pick<CatalogState, 'onReset'>;
      clock: Clock;
      log: Logger;
    },
    identity: ServerIdentity,
  ) {
    this.#register = deps.register;
    this.#state = deps.state;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#identity = identity;
  }

  /** Ready at once: reads do not need it, and a store that refuses writes must not keep reads from being served. */
  async run(ctx: RunContext): Promise<void> {
    // Another catalog, as after a restore, may list other servers; also one that is loaded while this one is being listed.
    let catalogs = 1;
    let listedIn = 0;
    const forget = this.#state.onReset(() => catalogs++);
    const list = async (): Promise<void> => {
      const catalog = catalogs;
      if (await this.#try()) listedIn = catalog;
    };
    await list();
    ctx.ready();
    while (!ctx.signal.aborted) {
      await this.#clock.sleep(RETRY_MS, ctx.signal);
      if (listedIn < catalogs && !ctx.signal.aborted) await list();
    }
    forget();
  }

  async #try(): Promise<boolean> {
    const { nodeName, nodeId, nodeAddress, serverPort, meta } = this.#identity;
    try {
      await this.#register(
        {
          Node: nodeName,
          ID: nodeId,
          Address: nodeAddress,
          TaggedAddresses: taggedAddresses(nodeAddress),
          // The agent of this node keeps the node itself up to date.
          SkipNodeUpdate: true,
          Service: { ID: SERVER_SERVICE, Service: SERVER_SERVICE, Port: serverPort, Meta: meta },
        },
        { owner: `server/${nodeName}`, epoch: 0 },
      );
      return true;
    } catch (error) {
      this.#log.warn('this server could not be registered; trying again', { text: errorText(error) });
      return false;
    }
  }
}

/** Consul's names for a node's addresses. */
function taggedAddresses(address: string): Record<string, string> {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  return { lan: address, [`lan_${family}`]: address, wan: address, [`wan_${family}`]: address };
}
