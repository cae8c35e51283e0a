/** A place in an object: field names and list indexes from the outside in. */
export type FieldPath = readonly (string | number)[];

/** What is wrong at one place of an object, and what would be right. */
export interface FieldProblem {
  readonly path: FieldPath;
  readonly text: string;
}

/** A path as Kubernetes writes it: `spec.ports[1].name`, `spec.meta[a.b]`. */
export function formatPath(path: FieldPath): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[A-Za-z_][A-Za-z0-9_-]*$/.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text;
}
