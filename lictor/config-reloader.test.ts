import { type AgentConfig, parseAgentConfig } from '../agent/config.ts';
import { AppError } from '../core/errors.ts';
import { type Logger, silentLogger } from '../core/log.ts';
import { ConfigReloader } from './config-reloader.ts';

function reloaderOf(first: string) {
  let text = first;
  const lines: unknown[] = [];
  const log: Logger = {
    ...silentLogger,
    warn: (line, fields) => lines.push([line, fields]),
    error: (line) => lines.push(line),
  };
  const read = () =>
    parseAgentConfig(['-dev', '-config-file', 'a.hcl'], {
      readFile: () => text,
      readFolder: () => [],
      hostname: () => 'machine',
    });
  const reloader = new ConfigReloader({ read, log }, read().config);
  return { reloader, lines, write: (next: string) => (text = next) };
}

describe('ConfigReloader', () => {
  it('puts what may change in force, and names what needs a restart', async () => {
    const { reloader, lines, write } = reloaderOf('log_level = "info"');
    const seen: AgentConfig[] = [];
    reloader.add((config) => () => void seen.push(config));
    write('log_level = "warn"\nnode_meta { a = "b" }\ndatacenter = "dc9"\nports { http = 1 }');
    await reloader.reload();
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ logLevel: 'warn', nodeMeta: { a: 'b' }, datacenter: 'dc1', ports: { http: 8500 } });
    expect(reloader.current).toBe(seen[0]);
    const [, fields] = lines.at(-1) as [string, { keys: string[] }];
    expect(fields.keys).toEqual(expect.arrayContaining(['datacenter', 'ports']));
  });

  it('changes nothing when a file is wrong, or when a part refuses it', async () => {
    const { reloader, lines, write } = reloaderOf('');
    const before = reloader.current;
    let committed = 0;
    reloader.add(() => () => void committed++);
    write('log_level = ');
    await expect(reloader.reload()).rejects.toThrow(/a.hcl: line 1/);
    write('');
    reloader.add(() => {
      throw new AppError('config', 'no');
    });
    await expect(reloader.reload()).rejects.toThrow('no');
    await reloader.reloadAndLog();
    expect(lines).toEqual(['the configuration could not be reloaded; the old one stays']);
    expect(committed).toBe(0);
    expect(reloader.current).toBe(before);
  });
});
