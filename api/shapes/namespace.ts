import { AppError } from '../../core/errors.ts';
import { ANY, decodeBody, map, object, STRING } from '../decode.ts';
import { checkedNamespace } from '../http/request-params.ts';
import type { Indexed } from './catalog.ts';

/** What is said of a namespace; lower-case name. */
export interface NamespaceContent {
  readonly Name: string;
  readonly Description: string;
  readonly Meta: Record<string, string> | null;
}

/** A namespace as /v1/namespaces shows it (Consul Enterprise's shape). */
export type Namespace = NamespaceContent & Indexed;

/** Consul's limits of metadata. */
const MAX_META = 64;
const MAX_META_KEY = 128;
const MAX_META_VALUE = 512;

export const NAMESPACE_BODY = object(
  { Name: STRING, Description: STRING, Meta: map(STRING), ACLs: ANY, Partition: STRING },
  ['CreateIndex', 'ModifyIndex', 'DeletedAt'],
);

/** Body of PUT /v1/namespace and /v1/namespace/:name, whose name the body may leave out. @throws AppError `badRequest`. */
export function decodeNamespace(body: Buffer, pathName: string | undefined): NamespaceContent {
  const given = decodeBody(NAMESPACE_BODY, body) as Partial<NamespaceContent> & { ACLs?: unknown; Partition?: string };
  const { Name, Description = '', Meta = null, ACLs, Partition = '' } = given ?? {};
  if (pathName !== undefined && Name && Name.toLowerCase() !== pathName.toLowerCase()) {
    throw refused('Name', `${JSON.stringify(Name)} is not the name of the path (${pathName})`);
  }
  const name = pathName ?? Name ?? '';
  if (name === '') throw refused('Name', 'must be given');
  if (Partition !== '' && Partition !== 'default') throw refused('Partition', 'there are no partitions; leave it out');
  if (hasContent(ACLs)) throw refused('ACLs', 'defaults of a namespace are not supported; leave it out');
  return { Name: checkedNamespace(name), Description, Meta: checkedMeta(Meta) };
}

function checkedMeta(meta: Record<string, string> | null): Record<string, string> | null {
  const entries = Object.entries(meta ?? {});
  if (entries.length > MAX_META) throw refused('Meta', `has ${entries.length} keys, at most ${MAX_META} are allowed`);
  for (const [key, value] of entries) {
    if (key === '' || key.length > MAX_META_KEY)
      throw refused('Meta', `a key must have 1 to ${MAX_META_KEY} characters`);
    if (value.length > MAX_META_VALUE) throw refused('Meta', `${key} is longer than ${MAX_META_VALUE} characters`);
  }
  return entries.length > 0 ? meta : null;
}

/** Clients send back the empty lists that Enterprise shows. */
function hasContent(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasContent);
  if (typeof value === 'object' && value !== null) return Object.values(value).some(hasContent);
  return value !== undefined && value !== null && value !== '';
}

function refused(field: string, why: string): AppError {
  return new AppError('badRequest', `Invalid namespace: ${field} ${why}`, { facts: { field } });
}
