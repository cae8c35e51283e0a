import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from '../eventually.ts';
import { HERE, type Place } from '../network/broken-network.ts';
import { freePort } from './free-port.ts';
import { removeFolder, tempFolder } from './temp-folder.ts';
import { startTied, type TiedProcess } from './tied-process.ts';

/** LICTOR_BIN runs another build, e.g. an installed package. */
const BIN = process.env.LICTOR_BIN ?? fileURLToPath(new URL('../../../bin/lictor', import.meta.url));

/** How long a role may take until it is ready on a machine that is busy with other tests. */
const READY_MS = 30_000;

/** One role of Lictor in a process of its own, started from the checkout as a user starts it. */
export class LictorProcess {
  readonly name: string;
  /** Its data and log; removed by `stop`, kept by `kill`. */
  readonly folder: string;
  readonly args: readonly string[];
  readonly #inside: readonly string[];
  readonly #ready: () => Promise<boolean>;
  readonly #readyMs: number | undefined;
  #bin: string | undefined;
  #process: TiedProcess;

  protected constructor(launch: Launch, process: TiedProcess) {
    this.name = launch.name;
    this.folder = launch.folder;
    this.args = launch.args;
    this.#inside = launch.inside ?? [];
    this.#ready = launch.ready;
    this.#readyMs = launch.readyMs;
    this.#bin = launch.bin;
    this.#process = process;
  }

  get process(): TiedProcess {
    return this.#process;
  }

  log(): string {
    return this.#process.log();
  }

  /** SIGKILL, as when the machine takes it away. */
  async kill(): Promise<void> {
    await this.#process.kill();
  }

  /** SIGTERM, and waits for its orderly end. @throws Error when it did not end with 0 in time. */
  async terminate(): Promise<void> {
    const exit = await this.#process.stop(15_000);
    if (exit.code !== 0)
      throw new Error(`${this.name} ended with ${JSON.stringify(exit)}:\n${this.#process.logTail()}`);
  }

  pause(): void {
    this.#process.pause();
  }

  resume(): void {
    this.#process.resume();
  }

  /** Starts it again with the same flags and data (`bin`: another build); waits until it is ready unless told not to. */
  async restart(options: { waitUntilReady?: boolean; bin?: string } = {}): Promise<void> {
    await this.#process.kill();
    this.#bin = options.bin ?? this.#bin;
    const { name, folder, args } = this;
    const launch = {
      name,
      folder,
      args,
      inside: this.#inside,
      ready: this.#ready,
      readyMs: this.#readyMs,
      bin: this.#bin,
    };
    this.#process = await launchProcess(launch, options.waitUntilReady ?? true);
  }

  /** Ends it, however, and removes its folder. */
  async stop(): Promise<void> {
    await this.#process.kill();
    removeFolder(this.folder);
  }
}

interface Launch {
  readonly name: string;
  readonly folder: string;
  readonly args: readonly string[];
  /** What stands before its command line, as of a `Place`. */
  readonly inside?: readonly string[];
  readonly ready: () => Promise<boolean>;
  /** Default READY_MS. */
  readonly readyMs?: number | undefined;
  /** Default: this checkout's. */
  readonly bin?: string | undefined;
}

async function launchProcess(launch: Launch, waitUntilReady = true): Promise<TiedProcess> {
  const { readyMs = READY_MS } = launch;
  const [command, ...args] = [...(launch.inside ?? []), launch.bin ?? BIN, ...launch.args];
  const process = await startTied({
    name: launch.name,
    command: command!,
    args,
    logFile: join(launch.folder, 'log'),
  });
  if (!waitUntilReady) return process;
  try {
    const over = async () => !process.running || (await launch.ready());
    await eventually(over, { withinMs: readyMs, what: `${launch.name} is ready` });
    if (process.running) return process;
  } catch {
    // Said below, with its last lines.
  }
  const ended = process.exit ? `ended with ${JSON.stringify(process.exit)}` : `is not ready after ${readyMs} ms`;
  await process.kill();
  const error = new Error(`${launch.name} ${ended}:\n${process.logTail()}`);
  removeFolder(launch.folder);
  throw error;
}

async function answersOk(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
  await response.body?.cancel();
  return response.ok;
}

/** An agent, in server or client mode, with its HTTP API and DNS. */
export class AgentProcess extends LictorProcess {
  readonly httpPort: number;
  readonly dnsPort: number;
  /** Where servers are joined; only a server listens on it. */
  readonly serverPort: number;
  readonly address: string;

  private constructor(launch: Launch, process: TiedProcess, ports: AgentPorts, address: string) {
    super(launch, process);
    this.address = address;
    this.httpPort = ports.http;
    this.dnsPort = ports.dns;
    this.serverPort = ports.server;
  }

  get url(): string {
    return `http://${this.address}:${this.httpPort}`;
  }

  /** The JSON body of a GET. @throws Error for any status but 200. */
  async get<T>(path: string): Promise<T> {
    const response = await fetch(`${this.url}${path}`, { signal: AbortSignal.timeout(10_000) });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`GET ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }

  static async start(
    name: string,
    ports: AgentPorts,
    folder: string,
    args: readonly string[],
    ready: string,
    place: Place = HERE,
    readyMs?: number,
    bin?: string,
    waitUntilReady = true,
  ): Promise<AgentProcess> {
    const { address, inside } = place;
    const fixed = ['agent', `-http-port=${ports.http}`, `-dns-port=${ports.dns}`, `-data-dir=${join(folder, 'data')}`];
    mkdirSync(join(folder, 'data'));
    const launch: Launch = {
      name,
      folder,
      args: [...fixed, `-bind=${address}`, `-client=${address}`, ...args],
      inside,
      ready: () => answersOk(`http://${address}:${ports.http}${ready}`),
      readyMs,
      bin,
    };
    return new AgentProcess(launch, await launchProcess(launch, waitUntilReady), ports, address);
  }
}

interface AgentPorts {
  readonly http: number;
  readonly dns: number;
  readonly server: number;
}

async function agentPorts(): Promise<AgentPorts> {
  return { http: await freePort(), dns: await freePort(), server: await freePort() };
}

export interface ServerStart {
  readonly node?: string;
  readonly args?: readonly string[];
  readonly place?: Place;
  readonly readyMs?: number;
  readonly bin?: string;
  /** True when not given. */
  readonly waitUntilReady?: boolean;
}

/** Starts `lictor agent -server` on free ports with an empty data folder; ready when reads are answered. */
export async function startServer(options: ServerStart = {}): Promise<AgentProcess> {
  const ports = await agentPorts();
  const node = options.node ?? 'server-1';
  const args = [
    '-server',
    '-bootstrap-expect=1',
    `-node=${node}`,
    `-server-port=${ports.server}`,
    ...(options.args ?? []),
  ];
  return AgentProcess.start(
    node,
    ports,
    tempFolder('server'),
    args,
    '/v1/catalog/nodes',
    options.place,
    options.readyMs,
    options.bin,
    options.waitUntilReady,
  );
}

/** Starts `lictor agent -dev`: a server in memory. */
export async function startDevAgent(options: { args?: readonly string[] } = {}): Promise<AgentProcess> {
  const ports = await agentPorts();
  const args = ['-dev', '-node=dev-1', `-server-port=${ports.server}`, ...(options.args ?? [])];
  return AgentProcess.start('dev-1', ports, tempFolder('dev-agent'), args, '/v1/catalog/nodes');
}

/** Starts `lictor agent` in client mode for a node, joined to a server; ready when that answers, or at once without one. */
export async function startClientAgent(
  server: AgentProcess | undefined,
  options: { node: string; args?: readonly string[]; place?: Place },
): Promise<AgentProcess> {
  const joins = server ? [`-retry-join=127.0.0.1:${server.serverPort}`] : [];
  const args = [`-node=${options.node}`, ...joins, ...(options.args ?? [])];
  const ready = server ? '/v1/catalog/nodes' : '/v1/agent/self';
  return AgentProcess.start(options.node, await agentPorts(), tempFolder('agent'), args, ready, options.place);
}

/** `lictor dev`: every role in one process, fed from a folder of manifests. */
export class DevProcess extends LictorProcess {
  readonly httpPort: number;
  readonly dnsPort: number;

  private constructor(launch: Launch, process: TiedProcess, ports: { http: number; dns: number }) {
    super(launch, process);
    this.httpPort = ports.http;
    this.dnsPort = ports.dns;
  }

  get url(): string {
    return `http://127.0.0.1:${this.httpPort}`;
  }

  static async start(manifests: string): Promise<DevProcess> {
    const ports = { http: await freePort(), dns: await freePort() };
    const folder = tempFolder('dev');
    const flags = [`--http-port=${ports.http}`, `--dns-port=${ports.dns}`, `--data-dir=${join(folder, 'data')}`];
    const launch: Launch = {
      name: 'dev',
      folder,
      args: ['dev', '-f', manifests, ...flags],
      ready: () => answersOk(`http://127.0.0.1:${ports.http}/v1/catalog/nodes`),
    };
    return new DevProcess(launch, await launchProcess(launch), ports);
  }
}

/** Starts `lictor dev -f <manifests>` on free ports with an empty data folder. */
export function startDev(manifests: string): Promise<DevProcess> {
  return DevProcess.start(manifests);
}

/** The operator of one Kubernetes cluster. */
export class OperatorProcess extends LictorProcess {
  readonly probePort: number;

  private constructor(launch: Launch, process: TiedProcess, probePort: number) {
    super(launch, process);
    this.probePort = probePort;
  }

  /** The value of a metric, summed over its series; with labels as Prometheus prints them, of one series. 0 without any. */
  async metric(name: string, labels = ''): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.probePort}/metrics`)).text();
    const series = text
      .split('\n')
      .filter((line) => line.startsWith(`${name}${labels} `) || line.startsWith(`${name}{`));
    const wanted = labels === '' ? series : series.filter((line) => line.startsWith(`${name}${labels} `));
    return wanted.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  /** Whether this one holds the lease. */
  async isLeader(): Promise<boolean> {
    return (await this.metric('lictor_operator_leader')) === 1;
  }

  static async start(options: OperatorStart): Promise<OperatorProcess> {
    const probePort = await freePort();
    const name = options.name ?? 'operator';
    const launch: Launch = {
      name,
      folder: tempFolder('operator'),
      args: [
        'operator',
        `--kubeconfig=${options.kubeconfig}`,
        `--http-addr=${options.server.url}`,
        `--metrics-addr=127.0.0.1:${probePort}`,
        ...(options.args ?? []),
      ],
      ready: () => answersOk(`http://127.0.0.1:${probePort}/readyz`),
    };
    return new OperatorProcess(launch, await launchProcess(launch, options.waitUntilReady ?? true), probePort);
  }
}

export interface OperatorStart {
  /** For messages. */
  readonly name?: string;
  /** File; its server is the API server or a proxy in front of it. */
  readonly kubeconfig: string;
  /** Whose HTTP API it writes to. */
  readonly server: { readonly url: string };
  readonly args?: readonly string[];
  readonly waitUntilReady?: boolean;
}

/** Starts `lictor operator`. */
export function startOperator(options: OperatorStart): Promise<OperatorProcess> {
  return OperatorProcess.start(options);
}
