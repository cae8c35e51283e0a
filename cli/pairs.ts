import { InvalidArgumentError } from 'commander';

/** Collects a repeated `key=value` flag: `.option('--meta <key=value>', '…', keyValue)`. */
export function keyValue(text: string, before: Readonly<Record<string, string>> | undefined): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('write key=value');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

/** A whole number from `min` to `max`. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,15}$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`use a whole number from ${min} to ${max}`);
  };
}
