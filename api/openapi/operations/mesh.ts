import { AUTHORIZE_BODY, CA_CONFIGURATION_BODY } from '../../shapes/connect.ts';
import { OVERRIDES } from '../../shapes/discovery-chain.ts';
import { INTENTION_BODY } from '../../shapes/intention.ts';
import { MANUAL_ADDRESSES } from '../../shapes/virtual-address.ts';
import { bodySchema } from '../body-schema.ts';
import { indexed, jsonBody, type OperationGroup, ok, plain, read } from '../operation.ts';
import { flag, needed, query, repeated } from '../parameters.ts';
import { always, bool, choice, listOf, mapOf, object, oneOf, ref, text } from '../schema.ts';

const DISABLED = 'Connect must be enabled in order to use this endpoint';
const PEM = { 'application/pem-certificate-chain': text('Certificates in PEM, the active root first.') };
const CACHE = ['X-Cache'];
const AUTHORIZE = jsonBody(bodySchema(AUTHORIZE_BODY), {
  Target: 'web',
  ClientCertURI: 'spiffe://11111111-2222-4333-8444-555555555555.consul/ns/default/dc/dc1/svc/db',
});

/** Consul HTTP API, "Certificate authority" and "Connect - Agent". */
export const CERTIFICATES: OperationGroup = {
  name: 'Certificates',
  about:
    'The mesh’s certificate authority and an agent’s certificates (Consul’s “Connect - CA” and “Connect - Agent”).',
  operations: [
    read('/v1/connect/ca/roots', 'Show the root certificates', {
      params: [flag('pem', 'The certificates alone, without the headers of a read.'), 'nsHeader'],
      answers: {
        200: {
          ...ok(ref('CaRoots')),
          content: { 'application/json': ref('CaRoots'), ...PEM },
          someHeaders: indexed(ok(ref('CaRoots'))).headers!.concat('X-Consul-Effective-Consistency'),
        },
      },
      errors: { 500: [DISABLED] },
    }),
    plain('GET', '/v1/connect/ca/configuration', 'Show the authority’s configuration', {
      about: 'Without private keys.',
      params: ['dc'],
      json: ref('CaConfiguration'),
      errors: { 500: [DISABLED] },
    }),
    plain('PUT', '/v1/connect/ca/configuration', 'Change the authority’s configuration', {
      about:
        'A new key or root begins a rotation: the old root stays until its certificates have ended. So does any change, or none, when the root has expired or soon will.',
      params: ['dc'],
      body: jsonBody(bodySchema(CA_CONFIGURATION_BODY), { Provider: 'consul', Config: { LeafCertTTL: '72h' } }),
      answers: { 200: { description: 'Done; the answer is empty.' } },
      errors: { 500: [DISABLED] },
    }),
    plain('GET', '/v1/agent/connect/ca/roots', 'Show the root certificates that the agent keeps', {
      params: ['index', 'wait', 'pretty'],
      answers: {
        200: {
          ...ok(ref('CaRoots')),
          headers: ['X-Consul-Index', 'X-Consul-KnownLeader', 'X-Cache'],
          someHeaders: ['Age'],
        },
      },
      errors: { 500: [DISABLED] },
    }),
    plain('GET', '/v1/agent/connect/ca/leaf/{service}', 'Give a service its certificate and key', {
      about: 'Made when there is none, and renewed in time; with `index` it waits for the next one.',
      params: ['ns', 'nsHeader', 'index', 'wait', 'pretty'],
      answers: {
        200: { ...ok(ref('LeafCertificate')), headers: ['X-Consul-Index', ...CACHE], someHeaders: ['Age'] },
      },
      errors: { 500: [DISABLED, 'URI must be either service, agent, server, or kind'] },
    }),
    plain('POST', '/v1/agent/connect/authorize', 'Decide whether a certificate’s holder may connect', {
      body: AUTHORIZE,
      json: ref('Authorization'),
      errors: {
        400: ['Target service must be specified', 'ClientCertURI not a valid Connect identifier'],
        500: [DISABLED],
      },
    }),
  ],
};

const ENDS = [
  needed('source', text(), 'The service that connects, or `*`; `peer:NAME/SERVICE` for one of a peer.', 'web'),
  needed('destination', text(), 'The service that is connected to, or `*`.', 'db'),
] as const;
const NOT_FOUND = 'Intention not found';
const NO_ID = 'failed config entry lookup: index error: UUID must be 36 characters';
const NOT_SET = "required query parameter '…' not set";
const INTENTION = bodySchema(INTENTION_BODY);
const BY_ID = { params: ['nsHeader'], deprecated: true, errors: { 400: [NO_ID], 404: [NOT_FOUND] } } as const;

/** Consul HTTP API, "Service intentions". */
export const INTENTIONS: OperationGroup = {
  name: 'Intentions',
  about: 'Which service may connect to which (Consul’s “Service intentions”).',
  operations: [
    plain('PUT', '/v1/connect/intentions/exact', 'Set the intention between two services', {
      params: ENDS,
      body: jsonBody(INTENTION, { Action: 'allow', Description: 'the shop reads orders' }),
      json: always(true),
      queryExample: 'source=web&destination=db',
      errors: { 500: [NOT_SET, 'ID must not be specified', 'Meta must not be specified'] },
    }),
    read('/v1/connect/intentions', 'List the intentions', {
      params: ['filter', 'nsHeader'],
      json: listOf(ref('Intention')),
    }),
    plain('GET', '/v1/connect/intentions/exact', 'Show the intention between two services', {
      params: [...ENDS, 'pretty'],
      json: ref('Intention'),
      queryExample: 'source=web&destination=db',
      errors: { 404: [NOT_FOUND], 500: [NOT_SET] },
    }),
    read('/v1/connect/intentions/match', 'List the intentions that concern services', {
      about: 'For each name those that concern it, the highest precedence first.',
      params: [
        needed('by', choice(['source', 'destination']), 'Which end the names are.', 'destination'),
        { ...repeated('name', 'A service.', ['db']), required: true },
        'nsHeader',
      ],
      json: mapOf(listOf(ref('Intention')), 'By name.'),
      queryExample: 'by=destination&name=db',
      errors: { 500: [NOT_SET, "'by' parameter must be one of 'source' or 'destination'"] },
    }),
    plain('GET', '/v1/connect/intentions/check', 'Decide whether one service may connect to another', {
      params: [...ENDS, query('source-type', choice(['consul']), 'What the source is.'), 'pretty'],
      json: object({ Allowed: bool() }),
      queryExample: 'source=web&destination=db',
      errors: { 500: [NOT_SET] },
    }),
    plain('DELETE', '/v1/connect/intentions/exact', 'Remove the intention between two services', {
      params: ENDS,
      json: always(true),
      queryExample: 'source=web&destination=cache',
      errors: { 500: [NOT_SET] },
    }),
    plain('POST', '/v1/connect/intentions', 'Make an intention with an id', {
      body: jsonBody(INTENTION, { SourceName: 'web', DestinationName: 'cache', Action: 'deny' }),
      json: object({ ID: text() }),
      deprecated: true,
      errors: { 500: ['ID must be empty when creating a new intention'] },
    }),
    plain('GET', '/v1/connect/intentions/{id}', 'Show the intention of an id', { ...BY_ID, json: ref('Intention') }),
    plain('PUT', '/v1/connect/intentions/{id}', 'Change the intention of an id', {
      ...BY_ID,
      body: jsonBody(INTENTION, { SourceName: 'web', DestinationName: 'cache', Action: 'allow' }),
      json: object({ ID: text() }),
    }),
    plain('DELETE', '/v1/connect/intentions/{id}', 'Remove the intention of an id', { ...BY_ID, json: always(true) }),
  ],
};

const COMPUTED = 'bound-api-gateway entries are computed; …';
const ANY_ENTRY = oneOf([ref('ConfigEntry'), ref('BoundApiGateway')]);
const BAD_KIND = 'invalid config entry kind: …';

/** Consul HTTP API, "Config", "Exported services" and "Discovery chain". */
export const CONFIGURATION: OperationGroup = {
  name: 'Configuration entries',
  about: 'The mesh’s configuration and what becomes of it (Consul’s “Config” and “Discovery chain”).',
  operations: [
    plain('PUT', '/v1/config', 'Set a configuration entry', {
      about: 'The answer tells whether the condition held.',
      params: ['cas'],
      body: jsonBody(ref('ConfigEntry'), { Kind: 'service-defaults', Name: 'web', Protocol: 'http' }),
      json: bool(),
      errors: { 400: ['Request decoding failed: …'] },
    }),
    read('/v1/config/{kind}', 'List the entries of a kind', {
      route: '/v1/config/*',
      params: ['filter', 'nsHeader'],
      about: '`bound-api-gateway` shows what API gateways and their routes come to.',
      json: listOf(ANY_ENTRY),
      errors: { 500: [BAD_KIND] },
    }),
    read('/v1/config/{kind}/{name}', 'Show an entry', {
      route: '/v1/config/*',
      params: ['nsHeader'],
      json: ANY_ENTRY,
      errors: { 404: ['Config entry not found for "…" / "…"'], 500: [BAD_KIND] },
    }),
    plain('DELETE', '/v1/config/{kind}/{name}', 'Delete an entry', {
      about: 'With `cas` the answer tells whether the condition held; without, it is an empty object.',
      route: '/v1/config/*',
      params: ['cas'],
      json: oneOf([object({}), bool()]),
      pathExample: { kind: 'service-resolver', name: 'web' },
      errors: { 404: ['Must provide both a kind and name to delete'], 500: [BAD_KIND, COMPUTED] },
    }),
    read('/v1/exported-services', 'List the services that are exported to peers', {
      params: ['nsHeader'],
      json: listOf(ref('ExportedService')),
    }),
    plain('PUT', '/v1/internal/service-virtual-ip', 'Give a service virtual addresses by hand', {
      about: 'Each is taken from the service that has it. Services that are not in the mesh get none.',
      params: ['ns', 'nsHeader'],
      body: jsonBody(bodySchema(MANUAL_ADDRESSES, ['Service']), { Service: 'web', ManualVIPs: ['10.96.0.10'] }),
      json: ref('AssignedAddresses'),
      errors: { 400: ['Missing service name', '"…" is not a valid IP address'] },
    }),
    read('/v1/discovery-chain/{service}', 'Show what the entries of a service come to', {
      params: [query('compile-dc', text(), 'The datacenter that the chain is for.'), 'nsHeader'],
      json: object({ Chain: ref('DiscoveryChain') }),
      errors: { 400: ['Missing chain name'] },
    }),
    {
      ...read('/v1/discovery-chain/{service}', 'The same, with some settings changed for this answer', {
        params: [query('compile-dc', text(), 'The datacenter that the chain is for.'), 'nsHeader'],
        body: { ...jsonBody(bodySchema(OVERRIDES), { OverrideProtocol: 'grpc' }), optional: true },
        json: object({ Chain: ref('DiscoveryChain') }),
        errors: { 400: ['Missing chain name'] },
      }),
      method: 'POST',
    },
  ],
};
