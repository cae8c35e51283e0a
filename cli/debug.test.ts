import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../core/clock.ts';
import { type FakeAnswer, FakeApi } from '../test/support/command-run.ts';
import { makeDebugCommand } from './debug.ts';

const STATIC: Record<string, FakeAnswer> = {
  'GET /v1/agent/self': { body: { Config: { Version: '1.21.4' } } },
  'GET /v1/agent/host': { body: { Host: {} } },
  'GET /v1/agent/members': { body: [] },
};

describe('lictor debug', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lictor-debug-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const command = makeDebugCommand({ clock: new SystemClock() });
  const read = (name: string) => readFileSync(join(folder, 'out', name), 'utf8');

  it('captures what there is, and keeps what failed in the index', async () => {
    const api = await FakeApi.start({ ...STATIC, 'GET /v1/agent/host': { status: 500, body: 'no host' } });
    const output = `-output=${join(folder, 'out')}`;
    const { code, stdout, stderr } = await api.run(command, [
      '-archive=false',
      output,
      '-capture=agent',
      '-capture=host',
      '-capture=pprof',
    ]);
    expect([code, stdout]).toEqual([0, `Saved debug folder: ${join(folder, 'out')}\n`]);
    expect(stderr).toMatch(/Agent Version: '1\.21\.4'\n +Interval: '30s'\n +Duration: '5m0s'/);
    expect(stderr).toMatch(/Error capturing host: .*no host\n/);
    expect(JSON.parse(read('agent.json'))).toEqual({ Config: { Version: '1.21.4' } });
    expect(JSON.parse(read('index.json'))).toMatchObject({
      Targets: ['agent', 'host', 'pprof'],
      Failures: [{ Target: 'host' }, { Target: 'pprof', Error: 'this agent offers no profiles' }],
    });
    expect(existsSync(join(folder, 'out/host.json'))).toBe(false);
    await api.stop();
  });

  it('takes profiles from agents that offer them', async () => {
    const bytes = { body: 'profile' };
    const api = await FakeApi.start({
      ...STATIC,
      'GET /debug/pprof/heap': bytes,
      'GET /debug/pprof/goroutine': bytes,
      'GET /debug/pprof/profile': bytes,
      'GET /debug/pprof/trace': bytes,
    });
    const argv = ['-archive=false', `-output=${join(folder, 'out')}`, '-capture=pprof', '-duration=1s', '-interval=1s'];
    expect((await api.run(command, argv)).code).toBe(0);
    for (const name of ['0/heap.prof', '0/goroutine.prof', 'profile.prof', 'trace.out'])
      expect(read(name)).toBe('profile');
    expect(api.seen.find(({ url }) => url.includes('/trace'))!.url).toBe('/debug/pprof/trace?seconds=1');
    await api.stop();
  });

  it('says when the agent ends a stream too early, and begins nothing without an agent', async () => {
    const api = await FakeApi.start({ ...STATIC, 'GET /v1/agent/monitor': { body: 'a line\n' } });
    const output = `-output=${join(folder, 'out')}`;
    const { stderr } = await api.run(command, ['-archive=false', output, '-capture=logs']);
    expect(stderr).toContain('Error capturing logs: the agent ended the stream');
    expect(read('consul.log')).toBe('a line\n');
    await expect(
      api.run(command, [`-output=${join(folder, 'b')}`], { env: { CONSUL_HTTP_ADDR: '127.0.0.1:1' } }),
    ).rejects.toThrow(/Error querying target agent: no answer from/);
    expect(existsSync(join(folder, 'b'))).toBe(false);
    await api.stop();
  });

  it.each([
    ['-capture=metric', /did you mean metrics\?/],
    ['-duration=1', /use a duration from "1s" to "24h"/],
    ['-duration=500ms', /use a duration from "1s" to "24h"/],
    ['-archive=maybe', /--archive=maybe: use true or false/],
    ['-interval=10m', /-interval must not be longer than -duration/],
  ])('refuses %s', async (flag, message) => {
    const api = await FakeApi.start(STATIC);
    await expect(api.run(command, [flag])).rejects.toThrow(message);
    await api.stop();
  });
});
