import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/**
 * One figure of a bench. `bar` is what it must reach (null: shown only); `better` says in which direction. In the short
 * form a figure fails only below half of its bar.
 */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly bar: number | null;
  readonly better?: 'higher' | 'lower';
}

/** Whether a figure reaches its bar, or half of it in the short form. */
export function reaches(figure: Figure, short: boolean): boolean {
  if (figure.bar === null) return true;
  const slack = short ? 2 : 1;
  return figure.better === 'lower' ? figure.value <= figure.bar * slack : figure.value >= figure.bar / slack;
}

async function runOne(file: string, args: string[]): Promise<{ figures: Figure[]; code: number }> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const figures: Figure[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith('{')) {
      console.log(line);
      continue;
    }
    figures.push(JSON.parse(line) as Figure);
  }
  const code = child.exitCode ?? (await new Promise<number>((resolve) => child.once('exit', (c) => resolve(c ?? 1))));
  return { figures, code };
}

async function main(args: string[]): Promise<number> {
  const short = args.includes('--short');
  const only = args.filter((arg) => !arg.startsWith('--'));
  const folder = dirname(fileURLToPath(import.meta.url));
  const files = readdirSync(folder).filter((name) => name.endsWith('.bench.ts'));
  let missed = 0;
  for (const name of files.sort()) {
    if (only.length > 0 && !only.some((part) => name.includes(part))) continue;
    console.log(`-- ${name}`);
    const { figures, code } = await runOne(join(folder, name), short ? ['--short'] : []);
    for (const figure of figures) {
      const ok = reaches(figure, short);
      if (!ok) missed++;
      const sign = figure.better === 'lower' ? '≤' : '≥';
      const bar = figure.bar === null ? '' : `  bar ${sign} ${figure.bar}`;
      console.log(
        `${ok ? 'ok  ' : 'MISS'} ${figure.name}: ${Number(figure.value.toPrecision(4))} ${figure.unit}${bar}`,
      );
    }
    if (code !== 0 || figures.length === 0) {
      console.log(`MISS ${name} ended with ${code} and ${figures.length} figures`);
      missed++;
    }
  }
  return missed === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
