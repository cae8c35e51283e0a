import { AppError } from '../../core/errors.ts';
import { formatProblem, loadManifest, loadManifests, manifestError } from './load-manifests.ts';

const SERVICE = `apiVersion: lictor.dev/v1alpha1
kind: Service
metadata:
  name: web
  namespace: shop
spec:
  kubernetesService: web
`;

/** The problems of one file, as they are shown. */
const problemsOf = (text: string, file = 'web.yaml') => loadManifest(text, file).problems.map(formatProblem);

describe('loadManifest', () => {
  it('reads each document with its file and line', () => {
    const text = `# shop\n${SERVICE}---\n---\n# nothing\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n`;
    const { objects, problems } = loadManifest(text, 'shop.yaml');
    expect(problems).toEqual([]);
    expect(objects.map(({ object, file, line }) => [object.kind, object.metadata, file, line])).toEqual([
      ['Service', { name: 'web', namespace: 'shop' }, 'shop.yaml', 2],
      ['Namespace', { name: 'shop' }, 'shop.yaml', 13],
    ]);
  });

  it('reads JSON and empty files', () => {
    const json = JSON.stringify({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } });
    expect(loadManifest(json, 'node.json')).toMatchObject({ objects: [{ object: { kind: 'Node' } }], problems: [] });
    expect(loadManifest('', 'a.yaml')).toEqual({ objects: [], problems: [] });
    expect(loadManifest('# only this\n', 'a.yaml')).toEqual({ objects: [], problems: [] });
  });

  it('puts an object without a namespace into default, and one that has none into none', () => {
    const text = `${SERVICE.replace('  namespace: shop\n', '')}---\napiVersion: v1\nkind: Node\nmetadata: {name: n1}\n`;
    expect(loadManifest(text, 'a.yaml').objects.map(({ object }) => object.metadata.namespace)).toEqual([
      'default',
      undefined,
    ]);
  });

  it('takes the List that kubectl get -o yaml writes apart, with the lines of its items', () => {
    const item = (name: string) => `- {apiVersion: v1, kind: Pod, metadata: {name: ${name}}}\n`;
    const text = `apiVersion: v1\nkind: List\nitems:\n${item('a')}${item('B')}`;
    const { objects, problems } = loadManifest(text, 'pods.yaml');
    expect(objects.map(({ object, line }) => [object.metadata.name, line])).toEqual([['a', 4]]);
    expect(problems.map(formatProblem)).toEqual([
      'pods.yaml:5: Pod default/B: metadata.name: must be a DNS name in lower case; not "B"',
    ]);
  });

  it('follows anchors, merge keys, and their lines', () => {
    const text = `${SERVICE}  meta: &m {team: shop}\n---\n${SERVICE.replace('name: web', 'name: db')}  tags: &t [a]\n  meta: {x: 1}\n`;
    expect(problemsOf(text)).toEqual([
      'web.yaml:18: Service shop/db: spec.meta.x: must be a string, not 1; put it in quotes',
    ]);
    const merged = `${SERVICE.replace('spec:\n', 'spec:\n  <<: &common {tags: [a]}\n')}`;
    expect(loadManifest(merged, 'a.yaml')).toMatchObject({
      objects: [{ object: { spec: { tags: ['a'] } } }],
      problems: [],
    });
  });

  it('names file, line, object and field of a problem', () => {
    expect(
      problemsOf(`${SERVICE}  ports:\n    - name: http\n      port: 80\n    - nmae: grpc\n      port: 81\n`),
    ).toEqual([
      'web.yaml:11: Service shop/web: spec.ports[1].name: is required (Name of the port, unique in this Service)',
      'web.yaml:11: Service shop/web: spec.ports[1].nmae: unknown field; did you mean name?',
    ]);
  });

  it('says where a boolean without quotes was meant as text', () => {
    expect(problemsOf(`${SERVICE}  meta:\n    canary: no\n    axis: y\n    quoted: "yes"\n    other: nope\n`)).toEqual([
      'web.yaml:9: Service shop/web: spec.meta.canary: must be a string, not false; put it in quotes',
      'web.yaml:10: Service shop/web: spec.meta.axis: must be a string, not true; put it in quotes',
    ]);
  });

  // Each as kubectl 1.32 reads it.
  it.each<[string, unknown]>([
    ['y', true],
    ['N', false],
    ['On', true],
    ['OFF', false],
    ['yEs', 'yEs'],
    ['True', true],
    ['~', null],
    ['017', 15],
    ['0x1F', 31],
    ['0b11', 3],
    ['1_000', 1000],
    ['1e3', 1000],
    ['.5', 0.5],
    ['1:30', '1:30'],
    ['1:30.5', '1:30.5'],
    ['2001-01-01', '2001-01-01'],
    ['=', '='],
  ])('reads %s as kubectl does', (text, value) => {
    const { objects } = loadManifest(
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  key: ${text}\n`,
      'a.yaml',
    );
    expect(objects[0]?.object.data).toEqual({ key: value });
  });

  it.each([
    ['a half-written list', `${SERVICE}  tags: [a, b`, /^web\.yaml:\d+: this is not YAML: /],
    ['a half-written key', `${SERVICE}  tags`, /^web\.yaml:8: this is not YAML: /],
    ['a half-written text', `${SERVICE}  tags: ["a`, /^web\.yaml:8: this is not YAML: /],
    ['a tab for indentation', `${SERVICE}\ttags: []`, /^web\.yaml:8: this is not YAML: /],
    ['a key twice', `${SERVICE}  kubernetesService: db\n`, /^web\.yaml:8: this is not YAML: .*unique/],
    ['an unknown anchor', `${SERVICE}  tags: *t\n`, /^web\.yaml:\d+: .*[Uu]nresolved alias/],
    ['bytes of a picture', '\u0089PNG\r\n\u001a\n\0\0\0', /^web\.yaml:1: /],
    ['a text', 'just words', /^web\.yaml:1: a manifest must be a mapping/],
    ['a list', '- a\n- b\n', /^web\.yaml:1: a manifest must be a mapping/],
  ])('answers %s with one clear line', (_, text, line) => {
    const problems = problemsOf(text);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(line);
    expect(problems[0]).not.toContain('\n');
  });

  it('keeps reading after a broken document', () => {
    const { objects, problems } = loadManifest(`a: [\n---\n${SERVICE}`, 'web.yaml');
    expect(problems).toHaveLength(1);
    expect(objects).toHaveLength(1);
  });

  it('refuses anchors that grow without end, at once', () => {
    const levels = Array.from(
      { length: 12 },
      (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(', ')}]`,
    );
    const started = performance.now();
    expect(problemsOf(`a0: &a0 [x]\n${levels.join('\n')}\n`)[0]).toMatch(/^web\.yaml:1: .*alias/i);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it('refuses a file that is too large', () => {
    expect(problemsOf(`# ${'x'.repeat(4 * 1024 * 1024)}\n${SERVICE}`)).toEqual([
      expect.stringMatching(/^web\.yaml:1: the file is larger than/),
    ]);
  });

  it.each([
    [
      'kind: Servce',
      'kind: "Servce" is not accepted; did you mean Service? The accepted kinds are lictor.dev/v1alpha1 Service, HealthCheck, Intention; Pod,',
    ],
    [
      'kind: ServerCluster',
      'kind: "ServerCluster" is not accepted; the accepted kinds are lictor.dev/v1alpha1 Service, HealthCheck, Intention; Pod, EndpointSlice, Deployment and the like may lie beside them',
    ],
    ['kind: [a]', 'kind: is required; the accepted kinds are'],
    [
      'apiVersion: lictor.dev/v1',
      'apiVersion: "lictor.dev/v1" has no kind Service here; it must be lictor.dev/v1alpha1 or v1',
    ],
    ['apiVersion: consul.hashicorp.com/v1alpha1', 'it must be lictor.dev/v1alpha1 or v1'],
    ['apiVersion: ', 'apiVersion: is required; for kind Service it is lictor.dev/v1alpha1 or v1'],
    ['kind: ', 'kind: is required; the accepted kinds are lictor.dev/v1alpha1 Service, HealthCheck, Intention;'],
  ])('refuses a document with %s', (line, text) => {
    const field = line.split(':')[0]!;
    const problems = problemsOf(SERVICE.replace(new RegExp(`^${field}: .*$`, 'm'), line));
    expect(problems).toEqual([expect.stringContaining(text)]);
  });

  it.each([
    ['no name', 'metadata:\n  namespace: shop', 'web.yaml:3: Service: metadata.name: is required'],
    ['no metadata', '', 'web.yaml:1: Service: metadata: is required'],
    ['a text as metadata', 'metadata: web', 'web.yaml:3: Service: metadata: must be a mapping, not "web"'],
    [
      'an unknown field',
      'metadata:\n  name: web\n  anotations: {}',
      'web.yaml:5: Service default/web: metadata.anotations: unknown field; did you mean annotations?',
    ],
  ])('refuses an object with %s, whatever its kind', (_, metadata, text) => {
    const withMetadata = (apiVersion: string) =>
      SERVICE.replace('lictor.dev/v1alpha1', apiVersion).replace(
        'metadata:\n  name: web\n  namespace: shop\n',
        metadata === '' ? '' : `${metadata}\n`,
      );
    expect(problemsOf(withMetadata('lictor.dev/v1alpha1'))).toEqual([expect.stringContaining(text)]);
    expect(problemsOf(withMetadata('v1'))).toEqual([expect.stringContaining(text)]);
  });
});

describe('loadManifests', () => {
  it('names both places of an object that is there twice', () => {
    const files = [
      { file: 'a.yaml', text: `\n${SERVICE}` },
      { file: 'b.yaml', text: `${SERVICE}---\n${SERVICE.replace('namespace: shop', 'namespace: other')}` },
    ];
    const { objects, problems } = loadManifests(files);
    expect(problems.map(formatProblem)).toEqual([
      'b.yaml:1: Service shop/web: metadata.name: this object is already at a.yaml:2; remove one of the two or rename it',
    ]);
    expect(objects).toHaveLength(2);
  });

  it('keeps a core Service and one of ours with the same name apart', () => {
    const { objects, problems } = loadManifest(
      `${SERVICE}---\n${SERVICE.replace('lictor.dev/v1alpha1', 'v1')}`,
      'a.yaml',
    );
    expect(problems).toEqual([]);
    expect(objects).toHaveLength(2);
  });

  it('lists the problems by file and line', () => {
    const bad = SERVICE.replace('kubernetesService: web', 'kubernetesService: W\n  tags: x');
    const files = [
      { file: 'b.yaml', text: bad },
      { file: 'a.yaml', text: `${bad}---\na: [` },
    ];
    expect(loadManifests(files).problems.map(({ file, line }) => `${file}:${line}`)).toEqual([
      'b.yaml:7',
      'b.yaml:8',
      'a.yaml:7',
      'a.yaml:8',
      'a.yaml:10',
    ]);
  });
});

describe('manifestError', () => {
  it('is a config error with one line for each problem', () => {
    const { problems } = loadManifest(`${SERVICE}  tags: x\n  meta: y\n`, 'web.yaml');
    const error = manifestError(problems);
    expect(error).toBeInstanceOf(AppError);
    expect(error.code).toBe('config');
    expect(error.message.split('\n')).toEqual(problems.map(formatProblem));
    expect(error.facts).toEqual({ file: 'web.yaml', line: 8, problems: 2 });
  });

  it('ends a long list with a count', () => {
    const { problems } = loadManifest(`${SERVICE}  tags: [${Array(60).fill('1').join(', ')}]\n`, 'web.yaml');
    const lines = manifestError(problems).message.split('\n');
    expect(lines).toHaveLength(51);
    expect(lines.at(-1)).toMatch(/^and \d+ more$/);
  });
});
