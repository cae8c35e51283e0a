import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { findProgram } from '../require-real.ts';

const PROGRAM = fileURLToPath(new URL('network.py', import.meta.url));
const ANSWER_MS = 10_000;

/** Whether this machine lets a test have a network of its own: a right of root, TUN devices and some programs. */
export const CAN_HAVE_NETWORK =
  process.getuid?.() === 0 && ['python3', 'ip', 'nsenter', 'mount'].every((program) => findProgram(program));
export const NETWORK_NEEDS = 'as root, with python3, iproute2 and util-linux: scripts/install-test-tools.sh';

/** Where a program runs: what stands before its command line, and the address of its own. */
export interface Place {
  readonly address: string;
  /** Empty: here. */
  readonly inside: readonly string[];
}

/** The host that is this process, for links. */
export const CALLER = 253;

/** This machine's loopback, as if there were no network. */
export const HERE: Place = { address: '127.0.0.1', inside: [] };

/** What happens to packets; 1 of loss: nothing passes. */
export interface LinkFault {
  /** Of each packet, 0 to 1. */
  readonly loss?: number;
  /** On average; half of it to one and a half, which also changes their order. */
  readonly delayMs?: number;
}

interface Places {
  readonly pid: number;
  readonly namespaces: readonly number[];
  readonly addresses: readonly string[];
  readonly caller: string;
}

/** Hosts, from 0 on, each in a network namespace of its own, and the links between them, by direction. */
export class BrokenNetwork {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  readonly #lines: Interface;
  readonly #places: Places;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(child: ChildProcess, lines: Interface, answers: AsyncIterator<string>, places: Places) {
    this.#child = child;
    this.#lines = lines;
    this.#answers = answers;
    this.#places = places;
  }

  static async start(hosts: number): Promise<BrokenNetwork> {
    // It ends with its input, thus with this process.
    const child = spawn('python3', [PROGRAM, String(hosts)], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.on('error', () => {});
    const lines = createInterface({ input: child.stdout });
    const answers = lines[Symbol.asyncIterator]();
    const first = await answers.next();
    if (first.done) throw new Error('the network did not start; what it says stands above');
    return new BrokenNetwork(child, lines, answers, JSON.parse(first.value) as Places);
  }

  /** A host; `disks`: it sees what `mountDisk` mounts. */
  place(host: number, options: { disks?: boolean } = {}): Place {
    const { pid, namespaces, addresses } = this.#places;
    const mounts = options.disks ? [`--mount=/proc/${pid}/ns/mnt`] : [];
    const inside = ['nsenter', `--net=/proc/${pid}/fd/${namespaces[host]}`, ...mounts, '--'];
    return { address: addresses[host]!, inside };
  }

  /** From now on so for packets from each of `from` to each of `to`; the way back is another matter. */
  async oneWay(from: readonly number[], to: readonly number[], fault: LinkFault): Promise<void> {
    await this.#command({ from: from.map((host) => host + 1), to: to.map((host) => host + 1), ...fault });
  }

  async bothWays(some: readonly number[], others: readonly number[], fault: LinkFault): Promise<void> {
    await this.oneWay(some, others, fault);
    await this.oneWay(others, some, fault);
  }

  async heal(): Promise<void> {
    await this.#command({ heal: true });
  }

  /** Mounts an empty file system of a size at a folder. @returns where this process sees it. */
  async mountDisk(folder: string, bytes: number): Promise<string> {
    await this.#command({ disk: folder, bytes });
    return `/proc/${this.#places.pid}/root${folder}`;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#lines.close();
    this.#child.stdin!.end();
    await ended;
  }

  /** One at a time. */
  #command(command: object): Promise<void> {
    const answered = this.#last.then(async () => {
      this.#child.stdin!.write(`${JSON.stringify(command)}\n`);
      const late = setTimeout(() => this.#child.kill('SIGKILL'), ANSWER_MS);
      const answer = await this.#answers.next();
      clearTimeout(late);
      if (answer.value !== 'ok') throw new Error(`the network: ${answer.value ?? 'has ended'}`);
    });
    this.#last = answered.catch(() => {});
    return answered;
  }
}
