import { AGENT_CHECK, CHECK_UPDATE } from '../../shapes/agent-check.ts';
import { AGENT_SERVICE } from '../../shapes/agent-service.ts';
import { bodySchema } from '../body-schema.ts';
import { type Answer, empty, jsonBody, type Operation, type OperationGroup, ok, plain } from '../operation.ts';
import { flag, needed, present, query } from '../parameters.ts';
import { bool, choice, duration, listOf, mapOf, ref, text } from '../schema.ts';

const NS = ['ns', 'nsHeader'] as const;
const CONSISTENCY = ['stale', 'consistent', 'maxStale', 'cached'] as const;
const UNKNOWN_CHECK = 'Unknown check ID "…". Ensure that the check ID is passed, not the check name.';
const UNKNOWN_SERVICE = 'Unknown service ID "…". Ensure that the service ID is passed, not the service name.';
const NO_SCRIPTS =
  "Scripts are disabled on this agent from remote calls; to enable, configure 'enable_script_checks' to true";
const DONE = { 200: empty() };

const registered = {
  ID: 'web-1',
  Name: 'web',
  Tags: ['v1'],
  Port: 8080,
  Check: { CheckID: 'web-alive', TTL: '30s', Status: 'passing' },
};

/** Consul HTTP API, "Agent". */
export const AGENT: OperationGroup = {
  name: 'Agent',
  about: 'The agent itself, its members, log and metrics (Consul’s “Agent”).',
  operations: [
    plain('GET', '/v1/agent/self', 'Show the agent’s configuration and figures', { json: ref('AgentSelf') }),
    plain('GET', '/v1/agent/host', 'Show the machine', { json: ref('AgentHost') }),
    plain('GET', '/v1/agent/version', 'Show the version', { json: ref('AgentVersion') }),
    plain('GET', '/v1/agent/members', 'List the nodes that have agents', {
      params: [
        'filter',
        ...CONSISTENCY,
        'nsHeader',
        present('wan', 'The servers alone, with their datacenter behind their names.'),
        query('segment', choice(['', '_all']), 'There are no segments but the default one.'),
      ],
      json: listOf(ref('Member')),
      errors: { 500: ['Network segments are not supported in this version of Consul'] },
    }),
    plain('GET', '/v1/agent/metrics', 'Show the metrics', {
      params: [query('format', choice(['prometheus']), 'The text format of Prometheus instead of JSON.'), 'pretty'],
      answers: {
        200: { ...ok(ref('Metrics')), content: { 'application/json': ref('Metrics'), 'text/plain': text() } },
      },
    }),
    plain('GET', '/v1/agent/metrics/stream', 'Follow the metrics: one object for each interval', {
      answers: { 200: ok(ref('Metrics'), 'An object in each line, for as long as both sides wish.') },
      endless: true,
    }),
    plain('GET', '/v1/agent/monitor', 'Follow the log', {
      params: [
        query(
          'loglevel',
          choice(['trace', 'debug', 'info', 'warn', 'err', 'error']),
          'From which level on; `info` when not given.',
        ),
        present('logjson', 'A JSON object in each line.'),
      ],
      answers: {
        200: { description: 'Lines, for as long as both sides wish.', content: { 'text/plain': text() } },
      },
      endless: true,
      errors: { 400: ['Unknown log level: …'] },
    }),
    plain('PUT', '/v1/agent/reload', 'Read the configuration anew', {
      about: 'All of it, or, when something is wrong, nothing.',
      answers: DONE,
    }),
    plain('PUT', '/v1/agent/join/{address}', 'Take up contact with a server', {
      answers: DONE,
      errors: { 400: ['Missing the address to join'] },
    }),
    plain('PUT', '/v1/agent/leave', 'Leave the cluster and stop', { answers: DONE, destructive: 'it stops the agent' }),
    plain('PUT', '/v1/agent/force-leave/{node}', 'Remove a failed node', {
      params: [
        present('wan', 'The name has its datacenter behind it.'),
        present('prune', 'Says nothing here: who has left is gone.'),
      ],
      answers: DONE,
      errors: { 500: ["agent: No node found with name '…'"] },
    }),
    plain('PUT', '/v1/agent/maintenance', 'Switch the maintenance mode of the node', {
      params: [
        needed('enable', bool(), 'Whether the node is in maintenance: all its instances are critical.', false),
        query('reason', text(), 'Shown in the check.'),
      ],
      answers: DONE,
      queryExample: 'enable=false',
      errors: { 400: ['Missing value for enable'] },
    }),
    plain('PUT', '/v1/agent/token/{token}', 'Set a token of the agent', {
      route: '/v1/agent/token/:kind',
      answers: {},
      errors: { 401: ['ACL support disabled'] },
    }),
  ],
};

const AGGREGATED: Answer = {
  description:
    'The worst of the checks of the instance and of its node: 200 passing, 429 warning, 503 critical or in maintenance.',
  content: { 'application/json': ref('AgentServiceHealth'), 'text/plain': text() },
  headers: ['X-Consul-Reason'],
};

/** 404 tells the same in the same forms, without the header. */
function aggregated(schema: ReturnType<typeof ref>): Operation['answers'] {
  const answer = { ...AGGREGATED, content: { ...AGGREGATED.content, 'application/json': schema } };
  return {
    200: answer,
    429: answer,
    503: answer,
    404: { ...answer, description: 'There is no such service.', headers: [] },
  };
}

const FORMAT = [...NS, query('format', choice(['text']), 'The status alone, as text.'), 'pretty'] as const;

/** Consul HTTP API, "Service - Agent". */
export const AGENT_SERVICES: OperationGroup = {
  name: 'Services of an agent',
  about:
    'What runs on the node of the agent (Consul’s “Service - Agent”); the agent runs its checks and keeps the catalog equal.',
  operations: [
    plain('PUT', '/v1/agent/service/register', 'Register a service instance with its checks', {
      params: [...NS, flag('replace-existing-checks', 'Checks of the instance that are not given go.')],
      body: jsonBody(bodySchema(AGENT_SERVICE, ['Name']), registered),
      answers: DONE,
      errors: { 400: ['Missing service name', 'Conflicting namespaces: …'], 500: [NO_SCRIPTS] },
    }),
    plain('GET', '/v1/agent/services', 'List the agent’s services', {
      params: [...NS, 'filter', ...CONSISTENCY],
      json: mapOf(ref('AgentService'), 'By id.'),
    }),
    plain('GET', '/v1/agent/service/{serviceId}', 'Show a service of the agent', {
      route: '/v1/agent/service/:id',
      about: 'With the hash of an earlier answer it waits until the service is another one.',
      params: [
        ...NS,
        query('hash', text(), 'The X-Consul-ContentHash of an earlier answer.'),
        query('wait', duration(), 'How long it waits at most; 5m when not given, 10m at most.'),
        'pretty',
      ],
      answers: { 200: { ...ok(ref('AgentServiceWithHash')), headers: ['X-Consul-ContentHash'] } },
      errors: { 404: ['unknown service ID: …'] },
    }),
    plain('GET', '/v1/agent/health/service/id/{serviceId}', 'Show the health of an instance', {
      route: '/v1/agent/health/service/id/:id',
      params: FORMAT,
      answers: aggregated(ref('AgentServiceHealth')),
      errors: { 500: ['Missing serviceID'] },
    }),
    plain('GET', '/v1/agent/health/service/name/{service}', 'Show the health of all instances of a service', {
      route: '/v1/agent/health/service/name/:name',
      params: FORMAT,
      answers: aggregated(listOf(ref('AgentServiceHealth'))),
      errors: { 500: ['Missing service Name'] },
    }),
    plain('PUT', '/v1/agent/service/maintenance/{serviceId}', 'Switch the maintenance mode of an instance', {
      route: '/v1/agent/service/maintenance/:id',
      params: [
        ...NS,
        needed('enable', bool(), 'Whether the instance is in maintenance: it is critical.', false),
        query('reason', text(), 'Shown in the check.'),
      ],
      answers: DONE,
      queryExample: 'enable=false',
      errors: { 400: ['Missing service ID', 'Missing value for enable'], 404: [UNKNOWN_SERVICE] },
    }),
    plain('PUT', '/v1/agent/service/deregister/{serviceId}', 'Remove an instance', {
      route: '/v1/agent/service/deregister/:id',
      params: NS,
      answers: DONE,
      errors: { 404: [UNKNOWN_SERVICE] },
    }),
  ],
};

const verdict = (verb: string, what: string) =>
  plain('PUT', `/v1/agent/check/${verb}/{checkId}`, `Report that a TTL check ${what}`, {
    route: `/v1/agent/check/${verb}/:id`,
    params: [...NS, query('note', text(), 'Shown as the check’s output.')],
    answers: DONE,
    errors: { 404: [UNKNOWN_CHECK], 500: ['CheckID "…" does not have associated TTL'] },
  });

/** Consul HTTP API, "Check - Agent". */
export const AGENT_CHECKS: OperationGroup = {
  name: 'Checks of an agent',
  about: 'Checks that the agent runs, and reports of applications (Consul’s “Check - Agent”).',
  operations: [
    plain('PUT', '/v1/agent/check/register', 'Register a check', {
      params: NS,
      body: jsonBody(bodySchema(AGENT_CHECK, ['Name']), { CheckID: 'node-alive', Name: 'node is alive', TTL: '30s' }),
      answers: DONE,
      errors: {
        400: ['Missing check name', 'Conflicting namespaces: …'],
        404: ['ServiceID "…" does not exist'],
        500: [NO_SCRIPTS],
      },
    }),
    plain('GET', '/v1/agent/checks', 'List the agent’s checks', {
      params: [...NS, 'filter', ...CONSISTENCY],
      json: mapOf(ref('AgentCheck'), 'By id.'),
    }),
    verdict('pass', 'passes'),
    verdict('warn', 'warns'),
    verdict('fail', 'fails'),
    plain('PUT', '/v1/agent/check/update/{checkId}', 'Report the status and output of a TTL check', {
      route: '/v1/agent/check/update/:id',
      params: NS,
      body: jsonBody(bodySchema(CHECK_UPDATE, ['Status']), { Status: 'passing', Output: 'all is well' }),
      answers: DONE,
      errors: { 400: ["Invalid check status: '…'"], 404: [UNKNOWN_CHECK] },
    }),
    plain('PUT', '/v1/agent/check/deregister/{checkId}', 'Remove a check', {
      route: '/v1/agent/check/deregister/:id',
      params: NS,
      answers: DONE,
      errors: { 404: [UNKNOWN_CHECK] },
    }),
  ],
};
