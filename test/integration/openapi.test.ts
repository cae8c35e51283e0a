import { GROUPS, openApiDocument, operationId } from '../../api/openapi/document.ts';
import type { Operation } from '../../api/openapi/operation.ts';
import { examplePath } from '../../api/openapi/reference-page.ts';
import { DescribedAnswers, type Exchange } from '../support/described-answers.ts';
import { type AgentProcess, startClientAgent, startServer } from '../support/processes/lictor.ts';

/**
 * The example of every operation, as docs/http-endpoints.md shows it, is sent to a real agent, in server and in client mode; each
 * answer has to be as it is described. Answers to other requests are compared by the replay in test/conformance.
 */
const OPERATIONS = GROUPS.flatMap((group) => group.operations);
/** What examples cannot do on an agent that has nothing but what the examples before made. */
const REFUSED: Readonly<Record<string, string>> = {
  deleteOperatorKeyring: 'there is no keyring',
  deleteOperatorRaftPeer: 'destructive',
  getInternalUiMetricsProxyByMetricsPath: 'no place for metrics is configured',
  getOperatorKeyring: 'there is no keyring',
  postOperatorKeyring: 'there is no keyring',
  postOperatorRaftTransferLeader: 'there is one server',
  putAgentJoinByAddress: 'not sent: something else may listen there',
  putAgentLeave: 'destructive',
  putInternalConnectSign: 'the request to sign is shortened',
  putInternalConnectAuthorize: 'the identity is shortened',
  putOperatorKeyring: 'there is no keyring',
  putSnapshot: 'destructive',
};

async function exchange(agent: AgentProcess, method: string, url: string, operation: Operation): Promise<Exchange> {
  const { body, endless } = operation;
  const stop = new AbortController();
  const response = await fetch(`${agent.url}${url}`, {
    method,
    signal: AbortSignal.any([stop.signal, AbortSignal.timeout(60_000)]),
    body:
      body?.example === undefined
        ? null
        : typeof body.example === 'string'
          ? body.example
          : JSON.stringify(body.example),
  });
  const bytes = endless ? await someLines(response, stop) : Buffer.from(await response.arrayBuffer());
  return { method, url, status: response.status, headers: Object.fromEntries(response.headers), body: bytes };
}

/** The first lines of an answer that does not end. */
async function someLines(response: Response, stop: AbortController): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const reader = response.body!.getReader();
  // The log of a quiet agent says nothing.
  if ((response.headers.get('content-type') ?? '').startsWith('text/plain')) {
    stop.abort();
    return Buffer.from('quiet\n');
  }
  do {
    const { value, done } = await reader.read();
    if (done) break;
    chunks.push(Buffer.from(value));
  } while (!Buffer.concat(chunks).includes('\n'));
  stop.abort();
  const text = Buffer.concat(chunks).toString();
  return Buffer.from(text.slice(0, text.lastIndexOf('\n') + 1));
}

/** Ids that examples give, and those that the agent gave instead. */
async function knownIds(agent: AgentProcess): Promise<(url: string, operation: Operation) => string> {
  const [sessions, queries, intentions] = await Promise.all(
    ['/v1/session/list', '/v1/query', '/v1/connect/intentions'].map((path) => agent.get<{ ID?: string }[]>(path)),
  );
  const idOf = (list: { ID?: string }[] | undefined) => list?.find(({ ID }) => ID)?.ID;
  return (url, { path, pathExample }) => {
    const given = pathExample?.id ?? '11111111-2222-4333-8444-555555555555';
    const list = path.startsWith('/v1/session') ? sessions : path.startsWith('/v1/query') ? queries : intentions;
    return url.replace(given, idOf(list) ?? given);
  };
}

describe('the examples of the HTTP API', () => {
  let server: AgentProcess;
  let client: AgentProcess;

  beforeAll(async () => {
    server = await startServer();
    client = await startClientAgent(server, { node: 'node-1' });
  }, 120_000);

  afterAll(async () => {
    await client?.stop();
    await server?.stop();
  });

  it.each(['server', 'client'] as const)(
    'are answered as described by an agent in %s mode, and do what they say',
    async (mode) => {
      const agent = mode === 'server' ? server : client;
      const described = new DescribedAnswers(await agent.get('/v1/openapi.json'));
      const problems: string[] = [];
      const refused: string[] = [];
      for (const operation of OPERATIONS) {
        if (operation.destructive || operationId(operation) === 'putAgentJoinByAddress') continue;
        const url = (await knownIds(agent))(examplePath(operation), operation);
        const got = await exchange(agent, operation.method, url, operation);
        problems.push(...described.problems(got));
        const off = got.status === 401 && operation.errors[401] !== undefined;
        if (got.status >= 400 && !off && REFUSED[operationId(operation)] === undefined) {
          refused.push(`${operation.method} ${url} ${got.status} ${got.body}`);
        }
      }
      expect(problems).toEqual([]);
      expect(refused).toEqual([]);
      // What succeeds after all is to be struck from the list.
      const never = OPERATIONS.filter(({ answers }) => Object.keys(answers).length === 0).map(operationId);
      expect(described.unseen()).toEqual([...new Set([...Object.keys(REFUSED), ...never])].sort());
    },
    300_000,
  );

  it('are those of the document that the agent serves', async () => {
    const { info } = await server.get<{ info: { version: string } }>('/v1/openapi.json');
    expect(await server.get('/v1/openapi.json')).toEqual(JSON.parse(JSON.stringify(openApiDocument(info))));
  });
});
