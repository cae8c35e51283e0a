import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { request } from 'undici';
import { ROOT } from '../arch/sources.ts';
import { eventually } from '../support/eventually.ts';
import { type AgentProcess, startServer } from '../support/processes/lictor.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';

let folder: string;
let file: string;
let agent: AgentProcess;
beforeAll(async () => {
  folder = tempFolder('reload');
  file = join(folder, 'agent.hcl');
  writeFileSync(file, 'service { name = "web" check { ttl = "1h" } }\nservice { name = "old" }');
  agent = await startServer({ args: ['-config-file', file] });
}, 60_000);
afterAll(async () => {
  await agent.stop();
  removeFolder(folder);
});

async function call<T>(method: 'GET' | 'PUT', path: string): Promise<{ status: number; body: T }> {
  const answer = await request(`${agent.url}${path}`, { method });
  const text = await answer.body.text();
  return { status: answer.statusCode, body: (text.startsWith('{') ? JSON.parse(text) : text) as T };
}

function reload(): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(join(ROOT, 'bin/lictor'), ['reload', '-http-addr', agent.url], (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

type Services = Record<string, { Service: string; Port: number }>;
type Checks = Record<string, { Status: string; Name: string }>;

describe('a reload', () => {
  it('changes services and node_meta, keeps check states and what clients registered', async () => {
    await call('PUT', '/v1/agent/check/pass/service:web');
    const own = await request(`${agent.url}/v1/agent/service/register`, { method: 'PUT', body: '{"Name": "mine"}' });
    expect(own.statusCode).toBe(200);
    await own.body.dump();
    writeFileSync(
      file,
      'service { name = "web" port = 81 check { ttl = "1h" } }\nservice { name = "new" }\nnode_meta { rack = "r9" }',
    );
    expect(await reload()).toMatchObject({ code: 0, stdout: 'Configuration reload triggered\n' });
    const { body } = await call<Services>('GET', '/v1/agent/services');
    expect(Object.keys(body).sort()).toEqual(['mine', 'new', 'web']);
    expect(body.web!.Port).toBe(81);
    expect((await call<Checks>('GET', '/v1/agent/checks')).body['service:web']!.Status).toBe('passing');
    await eventually(
      async () => {
        const { body: node } = await call<{ Node: { Meta: Record<string, string> }; Services: Services }>(
          'GET',
          `/v1/catalog/node/${agent.name}`,
        );
        return node.Node.Meta.rack === 'r9' && node.Services.new !== undefined && node.Services.old === undefined;
      },
      { withinMs: 10_000 },
    );
  });

  it('refuses a wrong file as a whole and says what is wrong', async () => {
    writeFileSync(file, 'service { name = "other" }\nports { htttp = 1 }');
    const { code, stderr } = await reload();
    expect(code).toBe(1);
    expect(stderr).toMatch(/ports.htttp is not a configuration key; did you mean "ports.http"\?/);
    expect(Object.keys((await call<Services>('GET', '/v1/agent/services')).body).sort()).toEqual([
      'mine',
      'new',
      'web',
    ]);
  });

  it('happens on SIGHUP too, and names what needs a restart', async () => {
    writeFileSync(
      file,
      'service { name = "hup" }\ndomain = "other"\nsession_ttl_min = "10s"\nprimary_datacenter = "dc7"',
    );
    agent.process.signal('SIGHUP');
    await eventually(async () => 'hup' in (await call<Services>('GET', '/v1/agent/services')).body, {
      withinMs: 10_000,
    });
    expect(agent.log()).toMatch(/need a restart.*primary_datacenter|primary_datacenter.*need a restart/);
  });

  it('starts and stops the handlers of watches', async () => {
    const seen = join(folder, 'seen');
    writeFileSync(file, `watches { type = "service" service = "watched" args = ["/bin/sh", "-c", "cat >> ${seen}"] }`);
    expect(await reload()).toMatchObject({ code: 0 });
    const web = await request(`${agent.url}/v1/agent/service/register`, { method: 'PUT', body: '{"Name": "watched"}' });
    await web.body.dump();
    await eventually(async () => readFileSync(seen, 'utf8').includes('"Service":"watched"'), { withinMs: 10_000 });
  });
});
