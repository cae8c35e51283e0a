import { AppError } from '../../core/errors.ts';
import { fileProblem } from '../../core/file-problem.ts';
import type { MachineAddress } from './address-template.ts';
import { type ConfigText, formatOf } from './config-text.ts';
import type { ParsedFlags } from './flags.ts';

/** What parsing reads of the world. The first two throw when the path cannot be read. */
export interface ConfigFiles {
  /** The text of a file. */
  readFile(path: string): string;
  /** The names in a folder. */
  readFolder(path: string): readonly string[];
  /** The machine's name, the default of node_name. */
  hostname(): string;
  /** The machine's addresses, for templates such as `{{ GetPrivateIP }}`; none when absent. */
  addresses?(): readonly MachineAddress[];
}

/**
 * The texts that flags name: files in order, those of a folder in lexical order and only .hcl and .json unless
 * -config-format says what they are, and -hcl fragments.
 * @throws AppError `config` for what cannot be read.
 */
export function readConfigFiles(
  flags: ParsedFlags,
  world: ConfigFiles,
): { files: ConfigText[]; fragments: ConfigText[] } {
  return {
    files: flags.files.flatMap(({ kind, path }) => {
      if (kind === 'dir') return folderTexts(path, flags, world);
      try {
        return [fileText(path, flags, world)];
      } catch (error) {
        // -config-file may name a folder too.
        if ((error as { cause?: NodeJS.ErrnoException }).cause?.code !== 'EISDIR') throw error;
        return folderTexts(path, flags, world);
      }
    }),
    fragments: flags.fragments.map((text, at) => ({ file: `-hcl[${at}]`, text, format: 'hcl' })),
  };
}

function fileText(file: string, flags: ParsedFlags, world: ConfigFiles): ConfigText {
  const text = readText(file, world);
  const format = flags.format ?? formatOf(file);
  if (format) return { file, text, format };
  throw new AppError('config', `configuration file ${file} must end in .hcl or .json, or give -config-format`);
}

function folderTexts(folder: string, flags: ParsedFlags, world: ConfigFiles): ConfigText[] {
  let names: readonly string[];
  try {
    names = world.readFolder(folder);
  } catch (error) {
    throw new AppError('config', `configuration folder ${folder} cannot be read: ${fileProblem(error)}`, {
      cause: error,
    });
  }
  return [...names]
    .filter((name) => flags.format !== undefined || formatOf(name) !== undefined)
    .sort()
    .map((name) => fileText(`${folder.replace(/\/+$/, '')}/${name}`, flags, world));
}

function readText(file: string, world: ConfigFiles): string {
  try {
    return world.readFile(file);
  } catch (error) {
    throw new AppError('config', `configuration file ${file} cannot be read: ${fileProblem(error)}`, { cause: error });
  }
}
