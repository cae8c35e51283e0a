import { DescribedAnswers, type Exchange } from './described-answers.ts';

const DOCUMENT = {
  paths: {
    '/v1/key/{key}': {
      get: {
        operationId: 'getKey',
        responses: {
          200: {
            headers: { 'X-Index': { required: true, schema: { type: 'integer', minimum: 1 } } },
            content: { 'application/json': { schema: { $ref: '#/components/schemas/Key' } } },
          },
          204: {},
          404: { $ref: '#/components/responses/NotFound' },
        },
      },
    },
    '/v1/key/{key}/lines': {
      get: {
        operationId: 'getLines',
        responses: { 200: { content: { 'application/x-ndjson': { schema: { $ref: '#/components/schemas/Key' } } } } },
      },
    },
  },
  components: {
    schemas: {
      Key: { type: 'object', properties: { Name: { type: 'string' }, Size: { type: 'integer' } }, required: ['Name'] },
    },
    responses: { NotFound: { content: { 'text/plain': { schema: { type: 'string' } } } } },
  },
};

const FOUND: Exchange = {
  method: 'GET',
  url: '/v1/key/a/b?x=1',
  status: 200,
  headers: { 'content-type': 'application/json', 'x-index': '3' },
  body: Buffer.from('{"Name":"a","Size":1}'),
};
const LINES: Exchange = {
  ...FOUND,
  url: '/v1/key/a/lines',
  headers: { 'content-type': 'application/x-ndjson' },
  body: Buffer.from('{"Name":"a"}\n{"Name":"b"}\n'),
};

describe('described answers', () => {
  const described = new DescribedAnswers(DOCUMENT);

  it.each<[string, Exchange]>([
    ['with what is described', FOUND],
    ['without what may be missing', { ...FOUND, body: Buffer.from('{"Name":"a"}') }],
    ['in lines', LINES],
    ['of a failure, with its text', { ...FOUND, status: 404, headers: { 'content-type': 'text/plain' } }],
    ['of a failure, without any', { ...FOUND, status: 404, headers: {}, body: Buffer.alloc(0) }],
    ['to another method', { ...FOUND, method: 'PUT', status: 405, headers: { allow: 'OPTIONS,GET' } }],
    ['to a path that is none', { ...FOUND, url: '/v1/none', status: 404 }],
  ])('take an answer %s', (_what, exchange) => {
    expect(described.problems(exchange)).toEqual([]);
  });

  it.each<[string, Exchange, RegExp]>([
    ['a field', { ...FOUND, body: Buffer.from('{"Name":"a","Other":1}') }, /additional properties.*Other/],
    ['a missing field', { ...FOUND, body: Buffer.from('{}') }, /must have required property 'Name'/],
    ['a type', { ...FOUND, body: Buffer.from('{"Name":1}') }, /\/Name must be string/],
    ['a line', { ...LINES, body: Buffer.from('{"Name":"a"}\n{}\n') }, /must have required property 'Name'/],
    ['a status', { ...FOUND, status: 500 }, /the status is not described for getKey/],
    ['a media type', { ...FOUND, headers: { ...FOUND.headers, 'content-type': 'text/html' } }, /text\/html/],
    ['an empty body', { ...FOUND, body: Buffer.alloc(0) }, /the body is no application\/json/],
    ['a body where there is none', { ...FOUND, status: 204 }, /the body is not empty/],
    ['a missing header', { ...FOUND, headers: { 'content-type': 'application/json' } }, /X-Index is missing/],
    ['the value of a header', { ...FOUND, headers: { ...FOUND.headers, 'x-index': '0' } }, /header X-Index.*>= 1/],
    ['a header', { ...FOUND, headers: { ...FOUND.headers, 'x-other': '' } }, /x-other is not described/],
    ['a path', { ...FOUND, url: '/v1/none' }, /no operation is described/],
    ['a method without Allow', { ...FOUND, method: 'PUT' }, /no operation is described/],
  ])('name %s that is not as described', (_what, exchange, problem) => {
    expect(described.problems(exchange).join('\n')).toMatch(problem);
  });

  it('tell which operations were not answered with success', () => {
    const fresh = new DescribedAnswers(DOCUMENT);
    fresh.problems(FOUND);
    expect(fresh.unseen()).toEqual(['getLines']);
  });
});
