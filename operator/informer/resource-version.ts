/**
 * Compares two resource versions: negative when `a` is older, 0 when equal, positive when newer. Undefined when one of
 * them is no decimal number; then nothing may be concluded (Kubernetes API concepts, "Resource versions": versions of
 * one resource type may be compared as integers of any size).
 */
export function compareVersions(a: string, b: string): number | undefined {
  if (a === b) return 0;
  if (!/^[1-9]\d*$/.test(a) || !/^[1-9]\d*$/.test(b)) return undefined;
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : 1;
}
