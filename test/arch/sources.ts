import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the checkout. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** The folders that make up the product, in no particular order. */
export const PRODUCT_FOLDERS = [
  'core',
  'crds',
  'api',
  'store',
  'dns',
  'server',
  'agent',
  'operator',
  'cli',
  'client',
  'lictor',
];

export interface Source {
  /** Path from the root, with slashes. */
  readonly path: string;
  readonly text: string;
  /** The top-level folder. */
  readonly folder: string;
  /** Whether it is a test, or code that only tests use. */
  readonly test: boolean;
}

/** Every TypeScript file of the product folders. */
export function productSources(): Source[] {
  return PRODUCT_FOLDERS.flatMap((folder) => walk(join(ROOT, folder)))
    .filter((file) => file.endsWith('.ts'))
    .map((file) => {
      const path = relative(ROOT, file);
      return {
        path,
        text: readFileSync(file, 'utf8'),
        folder: path.split('/')[0]!,
        test: path.endsWith('.test.ts') || path.startsWith('store/contract/'),
      };
    });
}

/** What a source imports: folders of ours by relative path, packages by name. Type-only imports count too. */
export function importsOf(source: Source): { specifier: string; folder?: string }[] {
  const found = source.text.matchAll(
    /(?:^|\n)\s*(?:import|export)\s(?:[^'"`;]*?\sfrom\s*)?['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]|(?:createRequire\([^)]*\)|\brequire)\(\s*['"]([^'"]+)['"]/g,
  );
  return [...found].map((match) => {
    const specifier = match[1] ?? match[2] ?? match[3]!;
    if (!specifier.startsWith('.')) return { specifier };
    const target = relative(ROOT, resolve(ROOT, dirname(source.path), specifier));
    return { specifier, folder: target.split('/')[0]! };
  });
}

function walk(folder: string): string[] {
  let entries: import('node:fs').Dirent[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? walk(path) : [path];
  });
}
