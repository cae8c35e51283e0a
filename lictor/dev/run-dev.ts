import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { systemConfigFiles } from '../../agent/config/system-files.ts';
import { type AgentConfig, parseAgentConfig } from '../../agent/config.ts';
import type { CommandIo } from '../../cli/command.ts';
import { SystemClock } from '../../core/clock.ts';
import { createLogger, type LogLevel } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { observeProcess } from '../../core/process-metrics.ts';
import { SystemRandom } from '../../core/random.ts';
import { openLmdbStore } from '../../store/lmdb/open-lmdb-store.ts';
import { assertNotOfCluster, CATALOG_FOLDER } from '../cluster-folder.ts';
import { stableNodeId } from '../node-identity.ts';
import { composeDev, type DevProcess } from './dev-process.ts';
import { renderScreen } from './screen.ts';

export interface DevOptions {
  readonly folder: string;
  readonly title?: string;
  /** Loopback unless told otherwise: nothing asks for a token here. */
  readonly host?: string;
  readonly ports?: { readonly http: number; readonly dns: number };
  readonly nodeName?: string;
  readonly datacenter?: string;
  readonly domain?: string;
  /** Where the catalog is kept; 'temporary' for a folder that is removed at the end. */
  readonly dataDir?: string;
  readonly logLevel?: LogLevel;
  /** See SweepGuardOptions. */
  readonly maxSweepShare?: number;
  /** No screen. */
  readonly quiet?: boolean;
  /** Further lines to try in another terminal. */
  readonly extraLines?: () => string[];
  /** Called once, when everything has started. A rejection ends the process with it. */
  readonly onReady?: (dev: DevProcess) => Promise<void>;
}

/** A change is on the screen within this; without a screen, nobody watches the lines as they come. */
const REDRAW_MS = 500;
const REPRINT_MS = 1_000;

/**
 * Runs `lictor dev` until the signal aborts.
 * @throws AppError `config`, `addressInUse`, `storeCorrupt`, `storeVersion`: one clear line each.
 */
export async function runDev(options: DevOptions, io: CommandIo): Promise<void> {
  const clock = new SystemClock();
  const random = new SystemRandom();
  const metrics = new Metrics();
  observeProcess(metrics);
  const screen = !options.quiet && (io.stdout as { isTTY?: boolean }).isTTY === true;
  const unseen = options.quiet || (screen && !options.logLevel);
  const log = createLogger({ level: options.logLevel ?? 'warn', ...(unseen ? { sink: { write() {} } } : {}) });
  const temporary = options.dataDir === 'temporary';
  const dataDir = temporary
    ? mkdtempSync(join(tmpdir(), 'lictor-dev-'))
    : (options.dataDir ?? defaultDataDir(options.folder, io));
  try {
    assertNotOfCluster(dataDir);
    const store = await openLmdbStore({ dir: join(dataDir, CATALOG_FOLDER), clock, log, random, metrics });
    try {
      const config = devConfig(options, dataDir);
      const place = { nodeId: stableNodeId(dataDir, random), address: config.bindAddress };
      const { folder, maxSweepShare } = options;
      const dev = composeDev({ folder, maxSweepShare }, config, place, {
        clock,
        log,
        logs: log,
        metrics,
        random,
        store,
      });
      await runUntilStopped(dev, options, io, { clock, screen });
    } finally {
      await store.close();
    }
  } finally {
    if (temporary) rmSync(dataDir, { recursive: true, force: true });
  }
}

/** The agent's configuration, built as from a command line so that defaults and checks are the same. */
function devConfig(options: DevOptions, dataDir: string): AgentConfig {
  const host = options.host ?? '127.0.0.1';
  const ports = options.ports ?? { http: 8500, dns: 8600 };
  const flags = [
    '-server',
    '-bootstrap',
    `-data-dir=${dataDir}`,
    `-bind=${host}`,
    `-client=${host}`,
    `-http-port=${ports.http}`,
    `-dns-port=${ports.dns}`,
    // No other agent joins this process.
    '-server-port=-1',
  ];
  if (options.nodeName) flags.push(`-node=${options.nodeName}`);
  if (options.datacenter) flags.push(`-datacenter=${options.datacenter}`);
  if (options.domain) flags.push(`-domain=${options.domain}`);
  return parseAgentConfig(flags, systemConfigFiles).config;
}

async function runUntilStopped(
  dev: DevProcess,
  options: DevOptions,
  io: CommandIo,
  shown: { clock: SystemClock; screen: boolean },
): Promise<void> {
  const stop = new AbortController();
  const onAbort = () => stop.abort();
  io.signal.addEventListener('abort', onAbort, { once: true });
  if (io.signal.aborted) stop.abort();
  const isReady = Promise.withResolvers<void>();
  const running = dev.runnable.run({ signal: stop.signal, ready: isReady.resolve });
  let failure: unknown;
  const beside = isReady.promise
    .then(() =>
      Promise.all([options.onReady?.(dev), options.quiet ? undefined : show(dev, options, io, shown, stop.signal)]),
    )
    .catch((error: unknown) => {
      failure = error;
      stop.abort();
    });
  try {
    await running;
    isReady.resolve(); // stopped before it was ready: nothing is left to wait for
    await beside;
  } finally {
    stop.abort();
    io.signal.removeEventListener('abort', onAbort);
  }
  if (failure) throw failure;
}

/** Draws the screen, or prints it once and then each change as plain text when nobody watches a terminal. */
async function show(
  dev: DevProcess,
  options: DevOptions,
  io: CommandIo,
  { clock, screen }: { clock: SystemClock; screen: boolean },
  signal: AbortSignal,
): Promise<void> {
  let last = '';
  while (!signal.aborted) {
    const services = await dev.services();
    const first = services[0]?.name ?? 'web';
    const text = renderScreen(
      {
        title: options.title ?? `lictor dev -f ${options.folder}`,
        services,
        problems: dev.problems(),
        tryThese: [...tryLines(dev, first), ...(options.extraLines?.() ?? [])],
        footer: 'Edit a manifest and save: it takes effect at once. Ctrl-C ends everything.',
      },
      screen,
    );
    if (text !== last) io.stdout.write(screen ? `\u001b[2J\u001b[H${text}` : text);
    last = text;
    await clock.sleep(screen ? REDRAW_MS : REPRINT_MS, signal);
  }
}

function tryLines(dev: DevProcess, service: string): string[] {
  const http = dev.httpAddress();
  const dns = dev.dnsAddress();
  const flag = http.port === 8500 ? '' : ` -http-addr ${http.host}:${http.port}`;
  return [
    `dig @${dns.host} -p ${dns.port} ${service}.service.consul SRV +short`,
    `curl 'http://${http.host}:${http.port}/v1/health/service/${service}?passing'`,
    `bin/lictor resolve ${service}${flag}`,
  ];
}

/** One folder for each folder of manifests, below the user's state folder (XDG Base Directory Specification). */
function defaultDataDir(folder: string, io: CommandIo): string {
  const state = io.env.XDG_STATE_HOME || join(homedir(), '.local', 'state');
  const path = resolve(folder);
  const digest = createHash('sha256').update(path).digest('hex').slice(0, 8);
  return join(state, 'lictor', 'dev', `${basename(path)}-${digest}`);
}
