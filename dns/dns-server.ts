import type { Clock } from '../core/clock.ts';
import { RunGroup } from '../core/lifecycle.ts';
import type { Logger } from '../core/log.ts';
import type { Metrics } from '../core/metrics.ts';
import type { Random } from '../core/random.ts';
import type { DnsReader } from './answers/catalog-reader.ts';
import { answerSettings, type DnsOptions } from './dns-options.ts';
import { createDnsListener, type Listening } from './listener/dns-listener.ts';
import { Recursor } from './recursor/recursor.ts';
import { recursorAddress } from './recursor/recursor-address.ts';
import { createResponder, type Responder } from './responder.ts';

export interface DnsDeps {
  readonly reader: DnsReader;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly random: Random;
}

/** A DNS server whose answers can be changed while it listens. */
export interface DnsServer extends Listening {
  /**
   * Checks other options and gives the function that puts them in force; host and port stay those it listens on.
   * @throws AppError `config` naming a wrong option.
   */
  prepare(options: DnsOptions): () => void;
}

const DEFAULT_LOOKUP_TIMEOUT_MS = 2_000;

/**
 * The DNS server: answers names below `domain` from the catalog that `reader` shows, over UDP and TCP. It listens
 * before the catalog is synced (and answers SERVFAIL until then).
 * @throws AppError `config` naming a wrong option; `run` rejects with `addressInUse` when the port is taken.
 */
export function createDns(deps: DnsDeps, options: DnsOptions): DnsServer {
  const log = deps.log.child({ part: 'dns' });
  const responderFor = (given: DnsOptions): Responder =>
    createResponder(
      { ...deps, log, recursor: recursorOf({ ...deps, log }, given) },
      { settings: answerSettings(given), lookupTimeoutMs: given.lookupTimeoutMs ?? DEFAULT_LOOKUP_TIMEOUT_MS },
    );
  let current = responderFor(options);
  const responder: Responder = { respond: (...question) => current.respond(...question) };
  const listen = (host: string) => createDnsListener({ ...deps, log, responder }, { ...options, host });
  const [host, ...others] = options.hosts;
  const listener = listen(host);
  const { name } = listener;
  const all = new RunGroup({ ...deps, log }, { name, members: [listener, ...others.map(listen)] });
  return {
    name,
    run: (ctx) => all.run(ctx),
    address: () => listener.address(),
    prepare: (next) => {
      const prepared = responderFor(next);
      return () => {
        current = prepared;
      };
    },
  };
}

function recursorOf(deps: Omit<DnsDeps, 'reader'>, options: DnsOptions): Recursor | undefined {
  const { recursors = [], recursorStrategy: strategy = 'sequential', recursorTimeoutMs = 2_000 } = options;
  if (recursors.length === 0) return undefined;
  const addresses = recursors.map(recursorAddress);
  return new Recursor(deps, { addresses, strategy, timeoutMs: recursorTimeoutMs });
}
