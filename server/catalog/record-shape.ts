/**
 * What a stored value has to be: gives what is wrong with it, from the path of the field on, or undefined. Cheap where all is
 * right: a load and a restore ask of each record.
 */
export type Shape = (value: unknown) => string | undefined;

export const TEXT: Shape = (value) => (typeof value === 'string' ? undefined : ' must be a text');
export const NAME: Shape = (value) => (typeof value === 'string' && value !== '' ? undefined : ' must be a name');
export const BOOL: Shape = (value) => (typeof value === 'boolean' ? undefined : ' must be true or false');
export const NUMBER: Shape = (value) => (Number.isFinite(value) ? undefined : ' must be a number');
/** As a count or an index is. */
export const WHOLE: Shape = (value) =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? undefined : ' must be a whole number';
export const OBJECT: Shape = (value) => (isObject(value) ? undefined : ' must be an object');

/** Or nothing at all. */
export function maybe(shape: Shape): Shape {
  return (value) => (value === undefined || value === null ? undefined : shape(value));
}

export function oneOf(...allowed: readonly string[]): Shape {
  const wanted = ` must be one of ${allowed.join(', ')}`;
  return (value) => (allowed.includes(value as string) ? undefined : wanted);
}

export function listOf(shape: Shape): Shape {
  return (value) => {
    if (!Array.isArray(value)) return ' must be a list';
    for (let at = 0; at < value.length; at++) {
      const problem = shape(value[at]);
      if (problem !== undefined) return `[${at}]${problem}`;
    }
    return undefined;
  };
}

/** An object of any keys. */
export function mapOf(shape: Shape): Shape {
  return (value) => {
    if (!isObject(value)) return ' must be an object';
    for (const key in value) {
      const problem = shape(value[key]);
      if (problem !== undefined) return `[${JSON.stringify(key)}]${problem}`;
    }
    return undefined;
  };
}

/** An object that has these; others are not looked at. */
export function fields(shapes: Readonly<Record<string, Shape>>): Shape {
  const list = Object.entries(shapes);
  return (value) => {
    if (!isObject(value)) return ' must be an object';
    for (const [name, shape] of list) {
      const problem = shape(value[name]);
      if (problem !== undefined) return `.${name}${problem}`;
    }
    return undefined;
  };
}

/** What is wrong with a record, in words that name the field; undefined when nothing is. */
export function shapeProblem(record: unknown, shape: Shape): string | undefined {
  const problem = shape(record);
  return problem?.startsWith('.') ? problem.slice(1) : problem && `the record${problem}`;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
