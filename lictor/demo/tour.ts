import { Resolver } from 'node:dns/promises';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { request } from 'undici';
import type { Clock } from '../../core/clock.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { DemoInstances } from './instances.ts';

/** Where the tour looks, and what it may touch. */
export interface TourStage {
  readonly dns: { host: string; port: number };
  readonly http: { host: string; port: number };
  readonly instances: DemoInstances;
  /** The manifest that declares the Service `web`; the tour edits it. */
  readonly serviceManifest: string;
}

/** Each step has ten times what it usually takes. */
const STEP_DEADLINE_MS = 20_000;

/**
 * The demo's tour: every promise of the screen, seen through real DNS and HTTP clients.
 * @throws AppError `deadline` naming the first step that was not seen to happen.
 */
export async function runTour(
  deps: { clock: Clock; print: (line: string) => void },
  stage: TourStage,
  signal: AbortSignal,
): Promise<void> {
  const resolver = new Resolver({ timeout: 1_000, tries: 1 });
  resolver.setServers([`${stage.dns.host}:${stage.dns.port}`]);
  const base = `http://${stage.http.host}:${stage.http.port}`;
  const ports = stage.instances.ports;

  const inDns = async (name: string): Promise<number[] | 'NXDOMAIN'> => {
    try {
      const records = await resolver.resolveSrv(name);
      return records.map((record) => record.port).sort((a, b) => a - b);
    } catch (error) {
      const code = (error as { code?: string }).code;
      if (code === 'ENOTFOUND') return 'NXDOMAIN';
      throw error;
    }
  };
  const inHttp = async (): Promise<number[]> => {
    const answer = await request(`${base}/v1/health/service/web?passing`, {
      headersTimeout: 2_000,
      bodyTimeout: 2_000,
    });
    const rows = (await answer.body.json()) as { Service: { Port: number } }[];
    return rows.map((row) => row.Service.Port).sort((a, b) => a - b);
  };
  const answered = (expected: readonly number[]) => async () => {
    const want = JSON.stringify(expected);
    return JSON.stringify(await inDns('web.service.consul')) === want && JSON.stringify(await inHttp()) === want;
  };
  const step = (what: string, seen: () => Promise<boolean>) => waitFor(deps, what, seen, signal);

  const [, second] = ports;
  const others = ports.filter((port) => port !== second);
  const manifest = readFileSync(stage.serviceManifest, 'utf8');

  await step('three healthy instances answer over DNS and HTTP', answered(ports));
  await step('each of them is really served by the address in DNS', async () => {
    const bodies = await Promise.all(
      ports.map(async (port) => (await request(`http://127.0.0.1:${port}/`)).body.text()),
    );
    return new Set(bodies).size === ports.length;
  });
  await stage.instances.kill(1);
  await step('a killed instance has left DNS and HTTP', answered(others));
  await stage.instances.start(1);
  await step('started again, it is back', answered(ports));
  writeFileSync(stage.serviceManifest, addTag(manifest, 'tour'));
  await step('a tag added to the manifest answers as tour.web.service.consul', async () => {
    return JSON.stringify(await inDns('tour.web.service.consul')) === JSON.stringify(ports);
  });
  rmSync(stage.serviceManifest);
  await step(
    'the Service removed from the folder is gone: NXDOMAIN',
    async () => (await inDns('web.service.consul')) === 'NXDOMAIN',
  );
  writeFileSync(stage.serviceManifest, manifest);
  await step('put back, its instances answer again', answered(ports));
}

async function waitFor(
  deps: { clock: Clock; print: (line: string) => void },
  what: string,
  seen: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<void> {
  const start = deps.clock.monotonic();
  let last = '';
  while (!signal.aborted) {
    try {
      if (await seen()) {
        deps.print(`  ok   ${what} (${Math.round(deps.clock.monotonic() - start)} ms)`);
        return;
      }
    } catch (error) {
      last = `; last error: ${errorText(error)}`;
    }
    if (deps.clock.monotonic() - start > STEP_DEADLINE_MS) {
      deps.print(`  FAIL ${what}`);
      throw new AppError('deadline', `not seen within ${STEP_DEADLINE_MS / 1_000} s: ${what}${last}`);
    }
    await deps.clock.sleep(20, signal);
  }
  throw new AppError('shuttingDown', 'the tour was interrupted');
}

/** The manifest with one tag more, as an editor would write it. */
export function addTag(manifest: string, tag: string): string {
  const listed = manifest.replace(/^( *)tags: *\[([^\]]*)\]/m, (_, indent: string, tags: string) => {
    return `${indent}tags: [${tags.trim() ? `${tags.trim()}, ` : ''}${tag}]`;
  });
  if (listed !== manifest) return listed;
  return manifest.replace(/^( *)(?:tags:)((?:\n\1 *- .*)+)/m, (block, indent: string) => `${block}\n${indent}- ${tag}`);
}

/**
 * Copies the demo's folder and moves its instances to other ports, so that a tour disturbs neither the checkout nor
 * anything that listens on the usual ports.
 */
export function copyDemoFolder(from: string, to: string, ports: ReadonlyMap<number, number>): void {
  cpSync(from, to, { recursive: true });
  const file = join(to, 'web.yaml');
  const text = readFileSync(file, 'utf8').replace(/\b(port: *)(\d+)\b/g, (whole, label: string, port: string) => {
    const moved = ports.get(Number(port));
    return moved === undefined ? whole : `${label}${moved}`;
  });
  writeFileSync(file, text);
}
