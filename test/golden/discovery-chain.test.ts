import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeConfigEntry } from '../../api/shapes/config-entry/decode.ts';
import type { ChainOverrides, DiscoveryChain } from '../../api/shapes/discovery-chain.ts';
import { errorText } from '../../core/errors.ts';
import { ChainEntries } from '../../server/discovery-chain/chain-entries.ts';
import { compileChain } from '../../server/discovery-chain/compile-chain.ts';
import { eventually } from '../support/eventually.ts';
import { RunningServer } from '../support/running-server.ts';

/** The chain that entries come to, or why they come to none. `make golden` writes what comes out now. */
interface Case {
  readonly about: string;
  readonly service: string;
  readonly entries: readonly { readonly Kind: string; readonly Name: string }[];
  readonly overrides?: ChainOverrides;
  readonly chain?: DiscoveryChain;
  readonly error?: string;
}

const FOLDER = fileURLToPath(new URL('discovery-chain/', import.meta.url));
const REWRITE = process.env.GOLDEN === 'rewrite';
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));
const read = (file: string) => JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as Case;

function compile({ service, entries, overrides }: Case): Pick<Case, 'chain' | 'error'> {
  const all = entries.map((entry) => decodeConfigEntry(entry));
  const get = (kind: string, name: string) =>
    all.find((entry) => entry.Kind === kind && entry.Name.toLowerCase() === name.toLowerCase());
  const request = { service, datacenter: 'dc1', trustDomain: 'golden.consul', ...(overrides && { overrides }) };
  try {
    return { chain: compileChain(request, new ChainEntries({ get })) };
  } catch (error) {
    return { error: errorText(error) };
  }
}

/** What JSON shows of a value. */
const shown = <T>(value: T) => JSON.parse(JSON.stringify(value)) as T;

describe('compiled discovery chains', () => {
  it.each(FILES.map((file) => [basename(file, '.json'), file]))('%s', (_, file) => {
    const { chain: _chain, error: _error, ...input } = read(file);
    const made = shown(compile(input));
    if (REWRITE) writeFileSync(join(FOLDER, file), `${JSON.stringify({ ...input, ...made }, null, 2)}\n`);
    const { chain, error } = read(file);
    expect(made).toEqual(error === undefined ? { chain } : { error });
  });

  it('are refused when they are written, with the same words, where they do not compile', async () => {
    for (const file of FILES) {
      const { entries, error } = read(file);
      const server = await RunningServer.start();
      const answers: { status?: number; text?: string }[] = [];
      for (const body of entries) answers.push(await server.call('PUT', '/v1/config', { body }));
      await server.stop();
      const refused = answers.filter(({ status = 200 }) => status !== 200);
      expect([file, refused.map(({ text }) => text)]).toEqual([file, error === undefined ? [] : [error]]);
      // The one that closes a circle, or breaks a rule, is the last.
      if (error !== undefined) expect(answers.at(-1)?.status).toBe(500);
    }
  });

  it('are made for another datacenter from the same entries', async () => {
    const server = await RunningServer.start();
    try {
      // Chains name the trust domain, which is there with the first root.
      await eventually(() => server.get('/v1/connect/ca/roots'), { withinMs: 30_000 });
      const body = { Kind: 'service-resolver', Name: 'web', ConnectTimeout: '33s' };
      await server.call('PUT', '/v1/config', { body });
      expect(await server.call('GET', '/v1/discovery-chain/')).toMatchObject({
        status: 400,
        text: 'Missing chain name',
      });
      const chainFor = async (query: string) =>
        (await server.get<{ Chain: DiscoveryChain }>(`/v1/discovery-chain/web${query}`)).json.Chain;
      expect(await chainFor('')).toMatchObject({ Datacenter: 'dc1', StartNode: 'resolver:web.default.default.dc1' });
      const there = await chainFor('?compile-dc=dc2');
      expect(there).toMatchObject({ Datacenter: 'dc2', StartNode: 'resolver:web.default.default.dc2' });
      expect(there.Targets['web.default.default.dc2']).toMatchObject({ Datacenter: 'dc2', ConnectTimeout: '33s' });
    } finally {
      await server.stop();
    }
  });

  it('keep the servers’ promise that each node and target that is named is there', () => {
    for (const file of FILES) {
      const { chain } = read(file);
      if (!chain) continue;
      const { Nodes, Targets, StartNode } = chain;
      const next = Object.values(Nodes).flatMap(({ Routes = [], Splits = [] }) => [...Routes, ...Splits]);
      const resolvers = Object.values(Nodes).flatMap(({ Resolver }) => Resolver ?? []);
      const targets = resolvers.flatMap(({ Target, Failover }) => [Target, ...(Failover?.Targets ?? [])]);
      expect(Object.keys(Nodes)).toEqual(expect.arrayContaining([StartNode, ...next.map((one) => one.NextNode)]));
      expect(Object.keys(Targets).sort()).toEqual([...new Set(targets)].sort());
    }
  });
});
