import { decodeConfigEntry } from '../../api/shapes/config-entry/decode.ts';
import type { ConfigEntry } from '../../api/shapes/config-entry/entry.ts';
import { FakeClock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { createLogger } from '../../core/log.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { RunningServer } from '../../test/support/running-server.ts';
import { BootstrapEntries } from './bootstrap-entries.ts';

const entry = (Kind: string, Name: string) => decodeConfigEntry({ Kind, Name });
const refusedUntil = (needed: string) => (names: Set<string>) => {
  if (!names.has(needed)) throw new AppError('badRequest', `needs ${needed}`);
};

/** Runs the part over a writer that fails as told; gives what was written. */
async function run(
  entries: ConfigEntry[],
  rules: Record<string, (names: Set<string>, attempt: number) => void> = {},
  present: string[] = [],
) {
  const names = new Set(present);
  const written: string[] = [];
  const attempts = new Map<string, number>();
  const lines: string[] = [];
  const clock = new FakeClock();
  const writer = {
    async put({ Name }: ConfigEntry, cas?: bigint): Promise<boolean> {
      expect(cas).toBe(0n);
      attempts.set(Name, (attempts.get(Name) ?? 0) + 1);
      rules[Name]?.(names, attempts.get(Name)!);
      if (names.has(Name)) return false;
      names.add(Name);
      written.push(Name);
      return true;
    },
  };
  const log = createLogger({ sink: { write: (line) => void lines.push(line) } });
  const stop = new AbortController();
  const part = new BootstrapEntries({ writer, clock, log }, { entries });
  let done = Promise.resolve();
  await new Promise<void>((ready) => {
    done = part.run({ signal: stop.signal, ready });
  });
  const end = async () => {
    stop.abort();
    await done;
  };
  return { written, lines, clock, end };
}

describe('entries of the configuration', () => {
  it('are written where there are none', async () => {
    const { written, end } = await run([entry('service-defaults', 'a'), entry('service-defaults', 'b')], {}, ['a']);
    expect(written).toEqual(['b']);
    await end();
  });

  it('are written after those on which they depend, whatever their order', async () => {
    const entries = ['c', 'b', 'a'].map((name) => entry('service-defaults', name));
    const rules = { c: refusedUntil('b'), b: refusedUntil('a') };
    const { written, lines, end } = await run(entries, rules);
    expect(written).toEqual(['a', 'b', 'c']);
    expect(lines.join()).not.toContain('not written');
    await end();
  });

  it('are named with the reason when they break a rule, and the others are written', async () => {
    const entries = [entry('service-defaults', 'a'), entry('service-defaults', 'b')];
    const { written, lines, end } = await run(entries, { a: refusedUntil('never') });
    expect(written).toEqual(['b']);
    expect(lines.filter((line) => line.includes('was not written'))).toHaveLength(1);
    expect(lines.join()).toContain('needs never');
    await end();
  });

  it('are tried again when the store does not take them', async () => {
    const failing = (_: Set<string>, attempt: number) => {
      if (attempt < 3) throw new AppError('unavailable', 'no store');
    };
    const { written, clock, end } = await run([entry('service-defaults', 'a')], { a: failing });
    expect(written).toEqual([]);
    await clock.advance(5_000);
    await clock.advance(5_000);
    expect(written).toEqual(['a']);
    await end();
  });
});

describe('a server with such entries', () => {
  it('has them once it is ready, and keeps what somebody made of them', async () => {
    const store = openMemoryStore();
    const bootstrapEntries = [
      decodeConfigEntry({ kind: 'service-splitter', name: 'web', splits: [{ weight: 100 }] }),
      decodeConfigEntry({ kind: 'service-defaults', name: 'web', protocol: 'http' }),
    ];
    const protocol = async (server: RunningServer) =>
      (await server.get<{ Protocol: string }[]>('/v1/config/service-defaults')).json.map(({ Protocol }) => Protocol);
    let server = await RunningServer.start({ store, bootstrapEntries });
    expect(await protocol(server)).toEqual(['http']);
    expect((await server.get<object[]>('/v1/config/service-splitter')).json).toHaveLength(1);
    const changed = { Kind: 'service-defaults', Name: 'web', Protocol: 'grpc' };
    await server.call('PUT', '/v1/config', { body: changed });
    await server.stop();
    server = await RunningServer.start({ store, bootstrapEntries });
    expect(await protocol(server)).toEqual(['grpc']);
    await server.stop();
  });
});
