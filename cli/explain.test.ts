import { FakeApi } from '../test/support/command-run.ts';
import { explainCommand } from './explain.ts';

const empty = { Service: 'wep', Namespace: 'default', Instances: [], OtherNamespaces: [], Nearest: [] };
const instance = {
  Node: 'n1',
  ServiceID: 'web-1',
  Address: 'fd00::1',
  Port: 80,
  Status: 'passing',
  DNS: true,
  Passing: true,
  Reasons: [],
};

describe('lictor explain', () => {
  let api: FakeApi;
  beforeAll(async () => {
    api = await FakeApi.start({
      'GET /v1/explain/service/web': {
        body: {
          ...empty,
          Service: 'web',
          OtherNamespaces: ['team'],
          Instances: [
            instance,
            {
              ...instance,
              ServiceID: 'web-2',
              Address: '10.0.0.2',
              DNS: false,
              Passing: false,
              Reasons: [
                { Kind: 'check', Text: 'http is critical: refused', Since: '2026-01-01T00:00:00.000Z' },
                { Kind: 'tag', Text: 'it does not carry the tags asked for' },
              ],
            },
          ],
        },
      },
      'GET /v1/explain/service/wep': { body: { ...empty, OtherNamespaces: ['team'], Nearest: ['web'] } },
      'GET /v1/explain/service/bare': {
        body: { ...empty, Service: 'bare', Reason: 'there is no ready Pod', Nearest: ['bar'] },
      },
      'GET /v1/explain/service/none': { body: { ...empty, Service: 'none' } },
    });
  });
  afterAll(() => api.stop());

  it('has a line for each instance and for each thing that keeps it back', async () => {
    const { stdout } = await api.run(explainCommand, ['web', '-tag', 'v1', '-namespace', 'default']);
    expect(stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['Instance', 'Node', 'Address', 'DNS', 'Passing', 'Why', 'Since'],
      ['web-1', 'n1', '[fd00::1]:80', 'yes', 'yes'],
      ['web-2', 'n1', '10.0.0.2:80', 'no', 'no', 'http is critical: refused', '2026-01-01T00:00:00.000Z'],
      ['', 'it does not carry the tags asked for'],
      [''],
      ['web is also in: team'],
      [''],
    ]);
    expect(api.seen.at(-1)?.url).toBe('/v1/explain/service/web?ns=default&tag=v1');
  });

  it('says what else may have been meant, and fails', async () => {
    const near = await api.run(explainCommand, ['wep']);
    expect(near).toMatchObject({ code: 2, stdout: '' });
    expect(near.stderr).toMatch(/team \(-namespace\)\nnames that are near: web/);
    expect((await api.run(explainCommand, ['none'])).stderr).toMatch(/lictor catalog services/);
    const known = await api.run(explainCommand, ['bare']);
    expect(known).toEqual({
      code: 2,
      stdout: '',
      stderr: 'no instance of bare in namespace default: there is no ready Pod\n',
    });
    const asJson = await api.run(explainCommand, ['wep', '-format=json']);
    expect(asJson).toMatchObject({ code: 2, stderr: '' });
    expect(JSON.parse(asJson.stdout)).toMatchObject({ Nearest: ['web'] });
  });
});
