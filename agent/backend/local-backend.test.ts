import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeAgentService } from '../../api/shapes/agent-service.ts';
import { FakeClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { FolderStateFiles } from '../local-state/folder-state-files.ts';
import { LocalState } from '../local-state/local-state.ts';
import { LocalBackend } from './local-backend.ts';

describe('sidecars of services that are registered at the same time', () => {
  let dataDir: string;
  let local: LocalState;
  let backend: LocalBackend;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'lictor-backend-'));
    local = new LocalState({ files: new FolderStateFiles({ dataDir }), clock: new FakeClock(), log: silentLogger });
    await local.load();
    backend = new LocalBackend({
      local,
      supervisor: { update: () => {} },
      settled: async () => {},
      config: () => ({ enableScriptChecks: false, sidecarPorts: { min: 21_000, max: 21_003 } }),
    });
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));

  const register = (Name: string, Port = 80) => {
    const body = JSON.stringify({ Name, Port, Connect: { SidecarService: {} } });
    return backend.registerService('default', decodeAgentService(Buffer.from(body)), { replaceExistingChecks: false });
  };
  const portOf = (id: string) => local.service('default', id)?.instance.Port;

  it('have a port each', async () => {
    const names = ['a', 'b', 'c', 'd'];
    await Promise.all(names.map((name) => register(name)));
    expect(names.map((name) => portOf(`${name}-sidecar-proxy`)).sort()).toEqual([21_000, 21_001, 21_002, 21_003]);
    await expect(register('e')).rejects.toThrow(/none is free between 21000 and 21003/);
    expect(portOf('e')).toBeUndefined();
  });

  it('leave the port of their own service alone', async () => {
    await register('a', 21_000);
    expect(portOf('a-sidecar-proxy')).toBe(21_001);
  });
});
