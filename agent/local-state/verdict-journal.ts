import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { readFileIfPresent, writeFileAtomically } from '../../core/atomic-file.ts';
import type { LocalVerdict } from './local-records.ts';

/** A journal this much larger than its content is written anew. */
const SLACK_BYTES = 1024 * 1024;
const SLACK_FACTOR = 4;

interface Entry {
  readonly key: string;
  /** Absent: the verdict was forgotten. */
  readonly verdict?: LocalVerdict;
}

/**
 * Verdicts by key, kept as a file of appended lines, each with its checksum. Many changes share one write and one sync;
 * a line that a crash has cut is left out on reading, and those around it count.
 */
export class VerdictJournal {
  readonly #path: string;
  readonly #live = new Map<string, LocalVerdict>();
  readonly #pending = new Map<string, LocalVerdict | undefined>();
  #flushing: Promise<void> | undefined;
  #fileBytes = 0;
  #liveBytes = 0;
  #rewrite = false;

  constructor(options: { path: string }) {
    this.#path = options.path;
  }

  /** Reads what is there and starts a clean file. Gives how many lines could not be used. */
  async load(): Promise<{ verdicts: ReadonlyMap<string, LocalVerdict>; badLines: number }> {
    const text = (await readFileIfPresent(this.#path)) ?? '';
    let badLines = 0;
    for (const line of text.split('\n')) {
      if (line === '') continue;
      const entry = decodeLine(line);
      if (!entry) badLines++;
      else if (entry.verdict) this.#live.set(entry.key, entry.verdict);
      else this.#live.delete(entry.key);
    }
    if (text !== '') await this.#compact();
    return { verdicts: new Map(this.#live), badLines };
  }

  /** Resolves when the changes, and all before them, are on disk. */
  async save(changes: ReadonlyMap<string, LocalVerdict | undefined>): Promise<void> {
    for (const [key, verdict] of changes) {
      if (!verdict && !this.#live.has(key) && !this.#pending.has(key)) continue;
      this.#pending.set(key, verdict);
    }
    // A write under way does not hold these changes: join the one after it.
    while (this.#flushing !== undefined) await this.#flushing.catch(() => {});
    if (this.#pending.size === 0) return;
    this.#flushing = this.#flush();
    try {
      await this.#flushing;
    } finally {
      this.#flushing = undefined;
    }
  }

  async #flush(): Promise<void> {
    const changes = [...this.#pending];
    this.#pending.clear();
    for (const [key, verdict] of changes) {
      if (verdict) this.#live.set(key, verdict);
      else this.#live.delete(key);
    }
    const lines = changes.map(([key, verdict]) => encodeLine({ key, verdict })).join('');
    if (this.#rewrite || this.#fileBytes + lines.length > SLACK_BYTES + SLACK_FACTOR * this.#liveBytes) {
      await this.#compact();
      return;
    }
    // After a failed write the end of the file is unknown: the next write replaces it whole.
    this.#rewrite = true;
    const file = await open(this.#path, 'a', 0o600);
    try {
      await file.writeFile(lines);
      await file.datasync();
    } finally {
      await file.close();
    }
    this.#fileBytes += Buffer.byteLength(lines);
    this.#rewrite = false;
  }

  async #compact(): Promise<void> {
    const content = [...this.#live].map(([key, verdict]) => encodeLine({ key, verdict })).join('');
    await writeFileAtomically(this.#path, content);
    this.#fileBytes = Buffer.byteLength(content);
    this.#liveBytes = this.#fileBytes;
    this.#rewrite = false;
  }
}

function encodeLine(entry: Entry): string {
  const json = JSON.stringify(entry);
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`;
}

function decodeLine(line: string): Entry | undefined {
  const json = line.slice(9);
  if (line[8] !== ' ' || crc32(json).toString(16).padStart(8, '0') !== line.slice(0, 8)) return undefined;
  try {
    return JSON.parse(json) as Entry;
  } catch {
    return undefined;
  }
}
