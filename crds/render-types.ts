import type { CustomResourceDefinition, StructuralSchema } from './structural-schema.ts';

/** The API server describes metadata itself and refuses a description of ours. */
const METADATA_DESCRIPTION = 'Standard object metadata.';

/** One generated TypeScript interface. */
export interface RenderedInterface {
  readonly name: string;
  readonly text: string;
}

const HEADER = (source: string) => `// Generated from crds/${source} by \`make crds\`; change that file instead.\n`;

/**
 * The TypeScript form of a CustomResourceDefinition: one interface for each object in its schema, named by its path
 * (`Service`, `ServiceSpec`, `ServiceSpecPort`), with the descriptions as doc comments. Conditions are the same for all
 * kinds and are named `Condition`; they come back apart. A field with a default is optional here all the same, since an
 * object that a person writes may leave it out.
 */
export function renderTypes(
  crd: CustomResourceDefinition,
  source: string,
): { module: string; condition: RenderedInterface } {
  const version = crd.spec.versions[0]!;
  const root = version.schema.openAPIV3Schema;
  const kind = crd.spec.names.kind;
  const interfaces: RenderedInterface[] = [];
  renderInterface(kind, root, interfaces, {
    apiVersion: `'${crd.spec.group}/${version.name}'`,
    kind: `'${kind}'`,
    metadata: 'ObjectMeta',
  });
  const condition = interfaces.find((each) => each.name === 'Condition');
  if (!condition) throw new Error(`${source}: status.conditions is missing`);
  const own = interfaces.filter((each) => each !== condition);
  const imports =
    "import type { ObjectMeta } from '../kubernetes-meta.ts';\nimport type { Condition } from './condition.ts';\n";
  return { module: `${HEADER(source)}${imports}\n${own.map((each) => each.text).join('\n')}`, condition };
}

/** The module of the condition type, which all kinds share. */
export function renderConditionModule(condition: RenderedInterface): string {
  return `${HEADER('*.yaml')}\n${condition.text}`;
}

function renderInterface(
  name: string,
  schema: StructuralSchema,
  into: RenderedInterface[],
  fixed: Readonly<Record<string, string>> = {},
): void {
  const place = into.push({ name, text: '' }) - 1; // outer before inner, in the order of the schema
  const required = new Set(schema.required ?? []);
  const fields = Object.entries(schema.properties ?? {}).map(([field, value]) => {
    const known = fixed[field];
    const type = known ?? typeOf(value, name + capitalise(field), into);
    const mark = known !== undefined || required.has(field) ? '' : '?';
    const doc = known === 'ObjectMeta' ? METADATA_DESCRIPTION : fieldDoc(value);
    return `${docComment(doc, '  ')}  ${field}${mark}: ${type};\n`;
  });
  const text = `${docComment(schema.description ?? '', '')}export interface ${name} {\n${fields.join('')}}\n`;
  const same = into.findIndex((each, index) => index !== place && each.name === name);
  if (same >= 0 && into[same]!.text !== text) throw new Error(`two different types would be named ${name}`);
  into[place] = { name, text };
}

function typeOf(schema: StructuralSchema, name: string, into: RenderedInterface[]): string {
  if (schema['x-kubernetes-int-or-string']) return 'number | string';
  if (schema.enum) return schema.enum.map((each) => `'${each}'`).join(' | ');
  switch (schema.type) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'boolean';
    case 'integer':
      return 'number';
    case 'array': {
      const item = typeOf(schema.items!, singular(name), into);
      return item.includes(' ') ? `(${item})[]` : `${item}[]`;
    }
    case 'object': {
      if (schema.additionalProperties) return `Record<string, ${typeOf(schema.additionalProperties, name, into)}>`;
      const own = name.endsWith('StatusCondition') ? 'Condition' : name;
      renderInterface(own, schema, into);
      return own;
    }
    default:
      throw new Error(`${name}: a schema without a type`);
  }
}

function fieldDoc(schema: StructuralSchema): string {
  const text = schema.description ?? '';
  return schema.default === undefined ? text : `${text} Default: ${JSON.stringify(schema.default)}.`;
}

/** A doc comment wrapped at 120 columns. */
function docComment(text: string, indent: string): string {
  if (text === '') return '';
  const words = text.replaceAll('*/', '*\\/').split(/\s+/);
  const single = `${indent}/** ${words.join(' ')} */\n`;
  if (single.length <= 121) return single;
  const lines: string[] = [];
  let line = `${indent} *`;
  for (const word of words) {
    if (line.length + 1 + word.length > 120) {
      lines.push(line);
      line = `${indent} *`;
    }
    line += ` ${word}`;
  }
  lines.push(line);
  return `${indent}/**\n${lines.join('\n')}\n${indent} */\n`;
}

function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function singular(text: string): string {
  return text.endsWith('s') ? text.slice(0, -1) : text;
}
