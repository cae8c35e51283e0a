import { importsOf, PRODUCT_FOLDERS, productSources } from './sources.ts';

/** Which folders each folder may import, lowest first, and why. */
const ARROWS: { folder: string; mayImport: string[]; why: string }[] = [
  { folder: 'core', mayImport: [], why: 'it is below everything' },
  { folder: 'api', mayImport: ['core'], why: 'shapes and routes over small backends know no process' },
  { folder: 'store', mayImport: ['core'], why: 'engines hold bytes and know nothing of the catalog' },
  { folder: 'crds', mayImport: ['core'], why: 'schemas and their validation serve every process' },
  { folder: 'dns', mayImport: ['core', 'api'], why: 'it answers from a CatalogReader that it owns' },
  { folder: 'server', mayImport: ['core', 'api', 'store'], why: 'the catalog lives above the store' },
  { folder: 'agent', mayImport: ['core', 'api'], why: 'it meets the servers over HTTP only' },
  { folder: 'operator', mayImport: ['core', 'api', 'crds'], why: 'it meets the servers over HTTP only' },
  { folder: 'client', mayImport: ['core', 'api'], why: 'the SDK is a client like any other' },
  { folder: 'cli', mayImport: ['core', 'api', 'client', 'crds'], why: 'commands are clients of the HTTP API' },
  { folder: 'lictor', mayImport: PRODUCT_FOLDERS, why: 'the only place that puts several roles into one process' },
];

/** Packages that only one place may see. */
const FENCED: { specifier: RegExp; only: RegExp; why: string }[] = [
  { specifier: /^@kubernetes\/client-node/, only: /^operator\//, why: 'only the operator speaks to Kubernetes' },
  {
    specifier: /^@dot-i\/k8s-operator/,
    only: /^operator\/shell\//,
    why: 'the library is a shell and owns no correctness',
  },
  {
    specifier: /^dns-packet/,
    only: /^dns\/(wire\/|.*\.test\.ts$)/,
    why: 'its lengths and errors are wrapped in one place',
  },
  { specifier: /^lmdb/, only: /^store\/lmdb\//, why: 'engines stay behind the store contract' },
  { specifier: /^@grpc\//, only: /^store\/etcd\//, why: 'engines stay behind the store contract' },
  {
    specifier: /^@peculiar\/x509/,
    only: /^core\/x509\/library\.ts$/,
    why: 'certificates are made and read in one place',
  },
  {
    specifier: /^tsyringe|^reflect-metadata/,
    only: /(composition|main|tokens)\.ts$|composition\.test\.ts$|^core\/x509\/library\.ts$/,
    why: 'domain classes know no container',
  },
  { specifier: /^fastify/, only: /^api\/http\//, why: 'routes are free of the framework' },
];

/** Names that only core and the composition roots may use. */
const BANNED: { pattern: RegExp; why: string }[] = [
  { pattern: /\bDate\.now\(|new Date\(\)/, why: 'time is a dependency: take a Clock' },
  { pattern: /\b(setTimeout|setInterval)\(/, why: 'timers are a dependency: take a Clock' },
  { pattern: /\bMath\.random\(/, why: 'randomness is a dependency: take a Random' },
  { pattern: /\bprocess\.env\b/, why: 'the environment is read in main.ts and handed down' },
  {
    pattern: /^(?:import (?!type\b).*|\} )from 'node:http'/,
    why: 'an import of all of it loads an HTTP client of 15 MB: take core/node-http.ts',
  },
  { pattern: /\bprocess\.exit\(/, why: 'only main.ts ends a process' },
];
const ROOTS = /^core\/|(^|\/)main\.ts$|(^|\/)composition\.ts$/;

const sources = productSources();

describe('imports', () => {
  it('has sources to read in every folder that the table names', () => {
    const folders = new Set(sources.map((source) => source.folder));
    expect(ARROWS.map((arrow) => arrow.folder).sort()).toEqual([...PRODUCT_FOLDERS].sort());
    expect(folders.has('core') && folders.has('api')).toBe(true);
  });

  it.each(ARROWS)('$folder imports only what lies below it ($why)', ({ folder, mayImport }) => {
    const wrong = sources
      .filter((source) => source.folder === folder && !source.test)
      .flatMap((source) =>
        importsOf(source)
          .filter((target) => target.folder && target.folder !== folder && !mayImport.includes(target.folder))
          .map((target) => `${source.path} imports ${target.specifier}`),
      );
    expect(wrong).toEqual([]);
  });

  it.each(FENCED)('$specifier stays in its place ($why)', ({ specifier, only }) => {
    const wrong = sources.flatMap((source) =>
      importsOf(source)
        .filter((target) => specifier.test(target.specifier) && !only.test(source.path))
        .map((target) => `${source.path} imports ${target.specifier}`),
    );
    expect(wrong).toEqual([]);
  });

  it('has no cycle between folders', () => {
    const below = new Map(ARROWS.map((arrow) => [arrow.folder, arrow.mayImport]));
    const reaches = (from: string, to: string, seen = new Set<string>()): boolean =>
      !seen.has(from) &&
      !!seen.add(from) &&
      (below.get(from) ?? []).some((next) => next !== from && (next === to || reaches(next, to, seen)));
    expect(ARROWS.filter((arrow) => reaches(arrow.folder, arrow.folder)).map((arrow) => arrow.folder)).toEqual([]);
  });
});

describe('dependencies on the world', () => {
  it.each(BANNED)('$pattern appears only in core and the roots ($why)', ({ pattern }) => {
    const wrong = sources
      .filter((source) => !source.test && !ROOTS.test(source.path))
      .flatMap((source) =>
        source.text
          .split('\n')
          .map((line, at) => ({ line, at }))
          .filter(({ line }) => pattern.test(line.replace(/^\s*(\*|\/\/|\/\*).*$/, '')))
          .map(({ at }) => `${source.path}:${at + 1}`),
      );
    expect(wrong).toEqual([]);
  });
});
