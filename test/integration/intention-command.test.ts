import { type AgentProcess, startServer } from '../support/processes/lictor.ts';
import { runLictor } from '../support/processes/run-lictor.ts';

describe('lictor intention, the program against an agent', () => {
  let agent: AgentProcess;
  beforeAll(async () => {
    agent = await startServer();
  });
  afterAll(() => agent.stop());
  const run = (args: string[], input?: string) => runLictor(['intention', ...args], { agent, input });
  const ok = (stdout: string) => ({ code: 0, stdout, stderr: '' });

  it('makes, checks, changes, shows and deletes', async () => {
    expect(await run(['list'])).toEqual(ok(''));
    expect(await run(['create', 'web', 'db'])).toEqual(ok('Created: web => db (allow)\n'));
    expect(await run(['create', '-deny', '*', 'db'])).toEqual(ok('Created: * => db (deny)\n'));
    expect(await run(['check', 'web', 'db'])).toEqual(ok('Allowed\n'));
    expect(await run(['check', 'app', 'db'])).toEqual({ code: 2, stdout: 'Denied\n', stderr: '' });
    expect(await run(['match', 'db'])).toEqual(ok('web => db (allow)\n* => db (deny)\n'));
    expect(await run(['match', '-source', 'web'])).toEqual(ok('web => db (allow)\n* => db (deny)\n'));
    expect((await run(['create', 'web', 'db'])).stderr).toMatch(
      /there is one already: web => db \(allow\); see -replace/,
    );
    expect(await run(['create', '-replace', '-deny', 'web', 'db'])).toEqual(ok('Created: web => db (deny)\n'));
    expect(await run(['list'])).toEqual(
      ok(
        'ID  Source  Action  Destination  Precedence\n    web     deny    db           9\n    *       deny    db           8\n',
      ),
    );
    expect(await run(['delete', 'web', 'db'])).toEqual(ok('Intention deleted.\n'));
    expect((await run(['get', 'web', 'db'])).stderr).toContain('there is no intention web => db');
  });

  it('keeps metadata, and finds by id', async () => {
    const body = '{"SourceName": "a", "DestinationName": "b", "Action": "allow", "Meta": {"owner": "shop"}}';
    expect(await run(['create', '-file', '-'], body)).toEqual(ok('Created: a => b (allow)\n'));
    const { ID } = JSON.parse((await run(['get', '-format=json', 'a', 'b'])).stdout) as { ID: string };
    expect((await run(['get', ID])).stdout).toMatch(
      /^Source: +a\n(?:.*\n)*Meta\[owner\]: +shop\nCreated At: +\w+day, /,
    );
    expect((await run(['create', '-replace', '-deny', '-meta=owner=new', 'a', 'b'])).code).toBe(0);
    const changed = JSON.parse((await run(['get', '-format=json', ID])).stdout) as object;
    expect(changed).toMatchObject({ ID, Action: 'deny', Meta: { owner: 'new' } });
    expect(await run(['delete', ID])).toEqual(ok('Intention deleted.\n'));
    expect(await run(['list'])).toMatchObject({ stdout: expect.not.stringContaining(ID) });
  });
});
