import { parseAgentConfig } from '../config.ts';
import { debugConfig, stats } from './self-document.ts';

const identity = { nodeId: 'an-id', address: '10.0.0.7', version: '1.2.3', consulVersion: '1.21.4' };
const world = { readFile: () => '', readFolder: () => [], hostname: () => 'n1' };
const local = { checks: () => [].values(), services: () => [] };

describe('what an agent tells of itself', () => {
  it('has what tools read of the configuration', () => {
    const { config } = parseAgentConfig(['-dev', '-http-port=9500', '-dns-port=-1'], world);
    expect(debugConfig(config, identity)).toMatchObject({
      ConnectEnabled: true,
      DNSAddrs: [],
      DNSDomain: 'consul.',
      EnableDebug: false,
      HTTPAddrs: ['tcp://127.0.0.1:9500'],
      Logging: { LogLevel: 'DEBUG' },
      SerfAdvertiseAddrLAN: 'tcp://10.0.0.7:8301',
      CheckUpdateInterval: '5m0s',
      SessionTTLMin: '10s',
    });
  });

  it('has no address for a port that is off', () => {
    const { config } = parseAgentConfig(['-dev', '-serf-lan-port=-1'], world);
    expect(debugConfig(config, identity)).toMatchObject({ SerfAdvertiseAddrLAN: '', SerfPortLAN: -1 });
  });

  it('tells a leader from a server without one and from an agent in client mode', () => {
    const { config } = parseAgentConfig(['-dev'], world);
    const given = { config, identity, local };
    const quorum = { leaderAddress: '10.0.0.7:8300', isLeader: true, peers: 1, appliedIndex: 12 };
    expect(stats(given, quorum)).toMatchObject({
      consul: { leader: 'true', leader_addr: '10.0.0.7:8300', server: 'true' },
      raft: { state: 'Leader', applied_index: '12', num_peers: '0' },
    });
    expect(stats(given, { ...quorum, leaderAddress: '', isLeader: false }).raft).toMatchObject({ state: 'Follower' });
    expect(stats(given, undefined).raft).toEqual({});
  });
});
