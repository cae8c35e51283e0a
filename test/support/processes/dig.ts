import { execFile } from 'node:child_process';
import { describeReal, findProgram } from '../require-real.ts';

/** One resource record as dig prints it. */
export interface DigRecord {
  readonly name: string;
  readonly ttl: number;
  readonly type: string;
  /** The data as printed, e.g. `10.0.0.1` or `1 1 8080 node-1.node.dc1.consul.`. */
  readonly data: string;
}

/** What dig made of an answer. */
export interface DigAnswer {
  /** `NOERROR`, `NXDOMAIN`, `SERVFAIL`, …; `TIMEOUT` when nothing came. */
  readonly status: string;
  /** E.g. `qr`, `aa`, `tc`. */
  readonly flags: readonly string[];
  readonly answer: readonly DigRecord[];
  readonly authority: readonly DigRecord[];
  readonly additional: readonly DigRecord[];
}

/** `describe` for tests that need dig; skipped, or failed when real parts are required, without one. */
export function describeDig(name: string, fn: () => void): void {
  const how = "install dig (Debian: bind9-dnsutils), 'scripts/install-test-tools.sh' does";
  describeReal('dig', findProgram('dig') !== undefined, how, name, fn);
}

/** Reads dig's standard output (`+noall +comments +answer +authority +additional`). */
export function parseDig(output: string): DigAnswer {
  const sections: Record<string, DigRecord[]> = { ANSWER: [], AUTHORITY: [], ADDITIONAL: [] };
  let section: DigRecord[] | undefined;
  for (const line of output.split('\n')) {
    const heading = /^;; (\w+) SECTION:/.exec(line);
    if (heading) section = sections[heading[1]!];
    const record = /^([^;\s]\S*)\s+(\d+)\s+IN\s+(\S+)\s+(.*)$/.exec(line);
    if (record && section) {
      section.push({ name: record[1]!, ttl: Number(record[2]), type: record[3]!, data: record[4]!.trim() });
    }
  }
  return {
    status: /status: (\w+)/.exec(output)?.[1] ?? 'TIMEOUT',
    flags: /^;; flags: ([^;]*);/m.exec(output)?.[1]?.trim().split(' ') ?? [],
    answer: sections.ANSWER!,
    authority: sections.AUTHORITY!,
    additional: sections.ADDITIONAL!,
  };
}

/** Asks 127.0.0.1 with the real dig, once, for at most 2 s. Further arguments are dig's, e.g. `+tcp`. */
export function dig(port: number, name: string, type = 'A', args: readonly string[] = []): Promise<DigAnswer> {
  const fixed = ['@127.0.0.1', '-p', String(port), '+noall', '+comments', '+answer', '+authority', '+additional'];
  return new Promise((resolve, reject) => {
    execFile('dig', [...fixed, '+time=2', '+tries=1', ...args, name, type], (error, stdout) => {
      // dig ends with 9 when no server answered.
      if (error && typeof error.code !== 'number') reject(error);
      else resolve(parseDig(stdout));
    });
  });
}

/** The addresses of a name, sorted; empty for NXDOMAIN and NODATA. @throws Error for any other failure. */
export async function digAddresses(port: number, name: string): Promise<string[]> {
  const found = await dig(port, name, 'A');
  if (found.status !== 'NOERROR' && found.status !== 'NXDOMAIN') throw new Error(`dig ${name}: ${found.status}`);
  return found.answer
    .filter((record) => record.type === 'A')
    .map((record) => record.data)
    .sort();
}
