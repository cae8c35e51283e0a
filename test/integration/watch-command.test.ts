import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';
import { runLictor } from '../support/processes/run-lictor.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';

describe('lictor watch, the program against an agent', () => {
  let agent: AgentProcess;
  let folder: string;
  beforeAll(async () => {
    folder = tempFolder('watch');
    agent = await startServer();
    await put('/v1/agent/service/register', { Name: 'web', Port: 80, Check: { TTL: '1h', Status: 'passing' } });
    await put('/v1/agent/service/register', { Name: 'db', Port: 5432 });
    await put('/v1/kv/app/color', 'blue');
    await put('/v1/event/fire/deploy', 'v2');
  });
  afterAll(async () => {
    await agent.stop();
    removeFolder(folder);
  });
  async function put(path: string, body: unknown = ''): Promise<void> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const answer = await fetch(`${agent.url}${path}`, { method: 'PUT', body: text });
    if (!answer.ok) throw new Error(`PUT ${path}: ${answer.status} ${await answer.text()}`);
  }

  it('follows several services in one request', async () => {
    let changed = false;
    const watched = await runLictor(['watch', '-service=web', '-service=db'], {
      agent,
      onOutput: (stdout, end) => {
        if (stdout.includes('- db')) end();
        if (changed || !stdout.includes('+ web')) return;
        changed = true;
        void put('/v1/agent/check/fail/service:web?note=down').then(() => put('/v1/agent/service/deregister/db'));
      },
    });
    expect([watched.code, watched.stderr]).toEqual([0, '']);
    expect(watched.stdout.split('\n').map((line) => line.replace(/ +/g, ' '))).toEqual([
      '+ db db server-1 127.0.0.1:5432 passing',
      '+ web web server-1 127.0.0.1:80 passing',
      "~ web web server-1 127.0.0.1:80 critical Service 'web' check: down",
      '- db db server-1 127.0.0.1:5432 passing',
      '',
    ]);
  });

  it('follows all services, those that pass alone, as JSON', async () => {
    const { stdout } = await runLictor(['watch', '-service=*', '-passingonly', '-format=json'], {
      agent,
      onOutput: (_, end) => end(),
    });
    const services = stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { service: string }).service);
    expect(services).toEqual(['consul']);
  });

  it.each<[string, string[], unknown]>([
    ['key', ['-key=app/color'], { Key: 'app/color', Value: 'Ymx1ZQ==' }],
    ['keyprefix', ['-prefix=app/'], [{ Key: 'app/color' }]],
    ['services', [], { web: [] }],
    ['nodes', [], [{ Node: 'server-1' }]],
    ['service', ['-service=web'], [{ Service: { ID: 'web' } }]],
    ['checks', ['-state=critical'], [{ CheckID: 'service:web', Status: 'critical' }]],
    ['checks', ['-service=web'], [{ CheckID: 'service:web' }]],
    ['event', ['-name=deploy'], [{ Name: 'deploy', Payload: 'djI=' }]],
    ['connect_roots', [], { Roots: [{ Active: true }] }],
    ['connect_leaf', ['-service=web'], { Service: 'web' }],
    ['agent_service', ['-service-id=web'], { ID: 'web' }],
  ])('prints the result of type %s with %j', async (type, flags, expected) => {
    const { code, stdout, stderr } = await runLictor(['watch', `-type=${type}`, ...flags], { agent });
    expect([code, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toMatchObject(expected as object);
  });

  it('gives each change to a handler', async () => {
    const file = join(folder, 'seen');
    const handler = `cat >> ${file}; echo "index $CONSUL_INDEX" >> ${file}; echo handled`;
    let changed = false;
    const { code } = await runLictor(['watch', '-type=key', '-key=app/size', handler], {
      agent,
      onOutput: (stdout, end) => {
        if (stdout.split('handled').length > 2) end();
        if (changed) return;
        changed = true;
        void put('/v1/kv/app/size', '7');
      },
    });
    expect(code).toBe(0);
    expect(readFileSync(file, 'utf8')).toMatch(
      /^null\nindex \d+\n\{"LockIndex":0,"Key":"app\/size".*"Value":"Nw==".*\}\nindex \d+\n$/,
    );
  });

  it('goes on when the agent is away for a while', async () => {
    let restarted = false;
    const watched = await runLictor(['watch', '-service=web'], {
      agent,
      onOutput: (stdout, end) => {
        if (stdout.includes('again')) end();
        if (restarted) return;
        restarted = true;
        void agent.restart().then(() =>
          eventually(() => put('/v1/agent/service/register', { ID: 'again', Name: 'web', Port: 81 }), {
            withinMs: 30_000,
          }),
        );
      },
    });
    expect(watched.stdout.trim().split('\n').at(-1)).toMatch(/^\+ again +server-1 +127\.0\.0\.1:81 +passing$/);
    expect(watched.stderr).toContain('lictor watch: ');
  });
});
