import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { mountPaths } from '../../api/http/route-table.ts';
import { RESPONSE_HEADERS } from '../../api/openapi/answers.ts';
import { GROUPS, openApiDocument, operationId, routeOf } from '../../api/openapi/document.ts';
import { pathParameters } from '../../api/openapi/parameters.ts';
import { referencePage } from '../../api/openapi/reference-page.ts';
import { clientAgentRoutes, serverAgentRoutes } from '../support/composed-agents.ts';
import { DescribedAnswers } from '../support/described-answers.ts';
import { productSources, ROOT } from './sources.ts';

const OPERATIONS = GROUPS.flatMap((group) => group.operations);
const document = openApiDocument({ version: 'test' });

describe('the description of the HTTP API', () => {
  it('has every route that a server’s HTTP port serves, and no other (api/openapi/operations)', () => {
    const served = serverAgentRoutes()
      .map(({ method, path }) => `${method} ${path}`)
      .filter((route) => / \/v1\//.test(route));
    const described = new Set(OPERATIONS.map((operation) => `${operation.method} ${routeOf(operation)}`));
    expect(served.length).toBeGreaterThan(100);
    expect(served.filter((route) => !described.has(route))).toEqual([]);
    expect([...described].filter((route) => !served.includes(route))).toEqual([]);
  });

  it('holds for an agent in client mode too, which hands on what it does not answer itself', () => {
    const mounted = mountPaths(clientAgentRoutes());
    const answers = (method: string, path: string) =>
      mounted.some(({ pattern, methods }) => {
        const fits = pattern.endsWith('/*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern;
        return fits && methods.has(method);
      });
    const missing = OPERATIONS.filter(({ method, path }) => !answers(method, path));
    expect(missing.map(operationId)).toEqual([]);
  });

  it('is a valid document of OpenAPI 3.1', async () => {
    const validator = new Validator();
    const result = await validator.validate(structuredClone(document));
    expect(result).toMatchObject({ valid: true });
    expect(validator.version).toBe('3.1');
  });

  it('has schemas that a strict validator of JSON Schema 2020-12 takes, and refers to nothing that is not there', () => {
    expect(() => new DescribedAnswers(document).compileAll()).not.toThrow();
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map((match) => match[1]!);
    const found = (path: string) =>
      path.split('/').reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], document);
    expect([...new Set(refs)].filter((path) => found(path) === undefined)).toEqual([]);
  });

  it('is loaded only when somebody asks: no source but its own imports it at once', () => {
    const eager = productSources()
      .filter(({ path, test }) => !test && !path.startsWith('api/openapi/'))
      .filter(({ text }) => /\bfrom '[^']*\/openapi\/[^']*'/.test(text));
    expect(eager.map(({ path }) => path)).toEqual([]);
  });

  it('names each operation once, and has words and an example for each parameter of a path', () => {
    const ids = OPERATIONS.map(operationId);
    expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([]);
    const bare = OPERATIONS.flatMap(({ path }) => pathParameters(path)).filter(
      ({ description, example }) => description === '' || example === '',
    );
    expect(bare.map(({ name }) => name)).toEqual([]);
  });

  it('is what docs/http-endpoints.md shows (make api-docs)', () => {
    expect(readFileSync(join(ROOT, 'docs/http-endpoints.md'), 'utf8')).toBe(referencePage());
  });

  it('says what each header of an answer means', () => {
    const named = OPERATIONS.flatMap(({ answers }) =>
      Object.values(answers).flatMap(({ headers = [], someHeaders = [] }) => [...headers, ...someHeaders]),
    );
    expect([...new Set(named)].filter((name) => RESPONSE_HEADERS[name] === undefined)).toEqual([]);
  });
});
