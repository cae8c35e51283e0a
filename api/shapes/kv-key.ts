/**
 * Why a key cannot be named in a path, undefined when it can: servers, and what lies between, take a path with an empty part,
 * `.` or `..` for another one, and what is done to it would be done to another key. A leading slash does not count.
 */
export function kvKeyProblem(key: string): string | undefined {
  const parts = key.replace(/^\//, '').split('/');
  const wrong = parts.find((part, at) => part === '.' || part === '..' || (part === '' && at < parts.length - 1));
  if (wrong === undefined) return undefined;
  const what = wrong === '' ? 'two slashes in a row' : `a part ${JSON.stringify(wrong)}`;
  return `${JSON.stringify(key)} has ${what}; servers would take it for another one`;
}
