import { decodeConfigEntry } from '../../api/shapes/config-entry/decode.ts';
import { ChainEntries } from './chain-entries.ts';
import { compileChain } from './compile-chain.ts';

function compile(service: string, given: object[], overrides = {}) {
  const all = given.map((entry) => decodeConfigEntry(entry));
  const get = (kind: string, name: string) => all.find((entry) => entry.Kind === kind && entry.Name === name);
  return compileChain({ service, datacenter: 'dc1', trustDomain: 't.consul', overrides }, new ChainEntries({ get }));
}

const http = { Kind: 'proxy-defaults', Config: { protocol: 'http' } };

describe('compileChain', () => {
  it('makes one splitter of splitters that lead to each other', () => {
    const chain = compile('a', [
      http,
      { Kind: 'service-splitter', Name: 'a', Splits: [{ Weight: 50 }, { Weight: 50, Service: 'b' }] },
      { Kind: 'service-splitter', Name: 'b', Splits: [{ Weight: 20 }, { Weight: 80, Service: 'c' }] },
    ]);
    expect(chain.Nodes[chain.StartNode]!.Splits!.map(({ Weight, NextNode }) => [Weight, NextNode])).toEqual([
      [50, 'resolver:a.default.default.dc1'],
      [10, 'resolver:b.default.default.dc1'],
      [40, 'resolver:c.default.default.dc1'],
    ]);
    expect(Object.keys(chain.Nodes)).not.toContain('splitter:b.default.default');
  });

  it('follows redirects, and names the places to fail over to in order', () => {
    const chain = compile('old', [
      { Kind: 'service-resolver', Name: 'old', Redirect: { Service: 'new' } },
      {
        Kind: 'service-resolver',
        Name: 'new',
        Failover: { '*': { Targets: [{ Service: 'spare' }, { Peer: 'east' }] } },
      },
    ]);
    expect(chain.StartNode).toBe('resolver:new.default.default.dc1');
    expect(chain.Nodes[chain.StartNode]!.Resolver!.Failover).toEqual({
      Targets: ['spare.default.default.dc1', 'new.default.default.external.east'],
    });
    expect(Object.keys(chain.Targets)).toHaveLength(3);
    expect(chain.Default).toBeUndefined();
  });

  it('leaves routes out for who asks for bytes', () => {
    const router = { Kind: 'service-router', Name: 'a', Routes: [] };
    expect(compile('a', [http, router]).StartNode).toBe('router:a.default.default');
    const chain = compile('a', [http, router], { OverrideProtocol: 'tcp' });
    expect(chain).toMatchObject({ Protocol: 'tcp', StartNode: 'resolver:a.default.default.dc1' });
    expect(chain.CustomizationHash).toMatch(/^[0-9a-f]{8}$/);
  });
});
