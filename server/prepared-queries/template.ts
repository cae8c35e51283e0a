import type { QueryContent, QueryService } from '../../api/shapes/prepared-query.ts';
import { AppError, errorText } from '../../core/errors.ts';
import { compileRegexp } from '../../core/regexp.ts';

/** What a template may refer to. */
export interface TemplateSource {
  /** The name that was looked up. */
  readonly name: string;
  /** The segment of the agent that was asked; '' without segments. */
  readonly segment: string;
}

/** A template that is ready to be filled in. */
export interface CompiledTemplate {
  /** The query's service with every reference replaced by what it stands for. */
  render(source: TemplateSource): QueryService;
}

interface Values extends TemplateSource {
  readonly prefix: string;
  /** The groups of the regular expression; empty without one, or when it does not match. */
  readonly groups: readonly string[];
}

/** Text with `${…}` in it, taken apart. */
type Part = string | ((values: Values) => string);

/** The only type of template. */
export const TEMPLATE_TYPE = 'name_prefix_match';

/**
 * Checks a template and prepares it. All texts of `Service` may hold `${name.full}`, `${name.prefix}`, `${name.suffix}`,
 * `${match(N)}` and `${agent.segment}`; `$${` stands for `${`.
 * @throws AppError `badRequest` with Consul's text.
 */
export function compileTemplate(query: QueryContent): CompiledTemplate {
  const { Template: template, Name: prefix } = query;
  if (template.Type !== TEMPLATE_TYPE) throw bad('Template.Type', `Bad Template.Type '${template.Type}'`);
  const regexp = template.Regexp === '' ? undefined : regexpOf(template.Regexp);
  const fill = compileValue(query.Service, 'Service') as (values: Values) => QueryService;
  return {
    render(source) {
      const service = fill({ ...source, prefix, groups: regexp?.groups(source.name) ?? [] });
      if (!template.RemoveEmptyTags || !service.Tags) return service;
      return { ...service, Tags: service.Tags.filter((tag) => tag !== '') };
    },
  };
}

function regexpOf(pattern: string): { groups(text: string): string[] | undefined } {
  try {
    return compileRegexp(pattern);
  } catch (error) {
    throw bad('Template.Regexp', `Bad Regexp: ${errorText(error)}`);
  }
}

/** A function that copies a value with its texts filled in; what holds no text is given back as it is. */
function compileValue(value: unknown, path: string): (values: Values) => unknown {
  if (typeof value === 'string') return compileText(value, path);
  if (Array.isArray(value)) {
    const items = value.map((item, at) => compileValue(item, `${path}[${at}]`));
    return (values) => items.map((item) => item(values));
  }
  if (typeof value !== 'object' || value === null) return () => value;
  const fields = Object.entries(value).map(([key, item]) => [key, compileValue(item, `${path}.${key}`)] as const);
  return (values) => Object.fromEntries(fields.map(([key, item]) => [key, item(values)]));
}

function compileText(text: string, path: string): (values: Values) => string {
  if (!text.includes('${')) return () => text;
  const parts: Part[] = [];
  let rest = text;
  for (let at = rest.indexOf('${'); at >= 0; at = rest.indexOf('${')) {
    if (rest[at - 1] === '$') {
      parts.push(`${rest.slice(0, at - 1)}\${`);
      rest = rest.slice(at + 2);
      continue;
    }
    const end = rest.indexOf('}', at);
    if (end < 0) throw bad(path, `Bad format '${text}' in ${path}: a \${ has no closing }`);
    parts.push(rest.slice(0, at), reference(rest.slice(at + 2, end).trim(), text, path));
    rest = rest.slice(end + 1);
  }
  parts.push(rest);
  return (values) => parts.map((part) => (typeof part === 'string' ? part : part(values))).join('');
}

function reference(expression: string, text: string, path: string): Part {
  switch (expression) {
    case 'name.full':
      return ({ name }) => name;
    case 'name.prefix':
      return ({ prefix }) => prefix;
    case 'name.suffix':
      return ({ name, prefix }) => name.slice(prefix.length);
    case 'agent.segment':
      return ({ segment }) => segment;
  }
  const group = /^match\(\s*(\d{1,9})\s*\)$/.exec(expression);
  if (group) return ({ groups }) => groups[Number(group[1])] ?? '';
  throw bad(
    path,
    `Bad format '${text}' in ${path}: unknown variable or function '${expression}'; ` +
      'use name.full, name.prefix, name.suffix, match(N) or agent.segment',
  );
}

function bad(field: string, text: string): AppError {
  return new AppError('badRequest', `failed compiling template: ${text}`, { facts: { field } });
}
