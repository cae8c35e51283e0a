import { AppError, errorText } from '../../core/errors.ts';
import { type ParsedHcl, parseHcl } from '../../core/hcl/parse-hcl.ts';

export type ConfigFormat = 'hcl' | 'json';

/** One text of configuration and the name that errors call it by. */
export interface ConfigText {
  readonly file: string;
  readonly text: string;
  readonly format: ConfigFormat;
}

/** Thousands of service definitions fit. */
const MAX_CHARACTERS = 16 * 1024 * 1024;

/** The format that a file's name tells; undefined for other names. */
export function formatOf(file: string): ConfigFormat | undefined {
  return /\.(hcl|json)$/i.exec(file)?.[1]?.toLowerCase() as ConfigFormat | undefined;
}

/**
 * The keys of a configuration text, and a warning for each that it gives twice.
 * @throws AppError `config` naming the file and the place.
 */
export function readConfigText(source: ConfigText): { value: Record<string, unknown>; warnings: string[] } {
  const { file, text, format } = source;
  if (text.length > MAX_CHARACTERS) {
    throw configError(
      file,
      '',
      `is longer than ${MAX_CHARACTERS} characters; split it, or give a folder with -config-dir`,
    );
  }
  const { value, duplicates } = format === 'json' ? readJson(file, text) : readHcl(file, text);
  const warnings = duplicates.map(({ key, line }) => `${file}: line ${line}: ${key} is given again; this one counts`);
  return { value, warnings };
}

function readJson(file: string, text: string): ParsedHcl {
  // A file that is made before it is written to says nothing yet.
  const given = text.trim() === '' ? '{}' : text;
  let value: unknown;
  try {
    value = JSON.parse(given);
  } catch (error) {
    throw configError(file, '', `is not valid JSON: ${errorText(error)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw configError(file, '', 'must hold a JSON object of configuration keys');
  }
  return withContext(file, given, { interpolation: false });
}

function readHcl(file: string, text: string): ParsedHcl {
  return withContext(file, text, { interpolation: true });
}

function withContext(file: string, text: string, options: { interpolation: boolean }): ParsedHcl {
  try {
    return parseHcl(text, options);
  } catch (error) {
    throw configError(file, '', errorText(error));
  }
}

export function configError(file: string, key: string, text: string): AppError {
  return new AppError('config', `${file}: ${key === '' ? '' : `${key} `}${text}`, { facts: { file, field: key } });
}
