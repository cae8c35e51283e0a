import { type KubernetesObject, validateObject } from '../../../crds/manifests/validate-object.ts';
import type { Intention } from '../../../crds/types/index.ts';
import { intention, source } from '../../../test/golden/crd-bad-objects.ts';
import { RunningServer } from '../../../test/support/running-server.ts';
import { entryDigest } from '../../intention-mirror/entry-digest.ts';
import { planIntention } from './plan-intention.ts';

/** The object as the API server keeps it: with defaults. */
function stored(declared: Record<string, unknown>): Intention {
  const result = validateObject(declared as unknown as KubernetesObject);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.object as unknown as Intention;
}

const plan = (declared: Record<string, unknown>) => planIntention(stored(declared), 'kubernetes/prod');

/** Uses every field. */
const RICH = intention(
  {
    destination: { service: 'api' },
    sources: [
      { service: '*', action: 'deny' },
      { service: 'web', action: 'allow', description: 'reads' },
      { service: 'web', peer: 'dc2', action: 'deny' },
      {
        service: 'report',
        permissions: [
          {
            action: 'deny',
            http: {
              pathPrefix: '/admin',
              methods: ['PUT', 'POST'],
              header: [
                { name: 'X-Test', present: true, invert: true },
                { name: 'X-Team', exact: 'Shop', ignoreCase: true },
              ],
            },
          },
          { action: 'allow', jwt: { providers: [{ name: 'okta', verifyClaims: [{ path: ['role'], value: 'a' }] }] } },
        ],
      },
    ],
    jwt: { providers: [{ name: 'okta' }] },
  },
  { namespace: 'shop', uid: '7a1e' },
);

describe('the plan of an Intention', () => {
  it('is a service-intentions entry that says who declared it', () => {
    expect(plan(intention({}, { namespace: 'shop', uid: '7a1e' })).entry).toEqual({
      Kind: 'service-intentions',
      Name: 'db',
      Meta: { 'lictor.dev/owner': 'kubernetes/prod', 'lictor.dev/ref': 'Intention/shop/web', 'lictor.dev/uid': '7a1e' },
      Sources: [{ Name: 'web', Type: 'consul', Action: 'allow' }],
    });
  });

  it('has the fields under Consul’s names, and no defaults', () => {
    const { Sources, JWT } = plan(RICH).entry;
    expect(Sources[2]).toEqual({ Name: 'web', Peer: 'dc2', Type: 'consul', Action: 'deny' });
    expect(Sources[3]!.Permissions).toEqual([
      {
        Action: 'deny',
        HTTP: {
          PathPrefix: '/admin',
          Methods: ['PUT', 'POST'],
          Header: [
            { Name: 'X-Test', Present: true, Invert: true },
            { Name: 'X-Team', Exact: 'Shop', IgnoreCase: true },
          ],
        },
      },
      {
        Action: 'allow',
        JWT: { Providers: [{ Name: 'okta', VerifyClaims: [{ Path: ['role'], Value: 'a' }] }] },
      },
    ]);
    expect(JWT).toEqual({ Providers: [{ Name: 'okta' }] });
  });

  it.each([
    ['another order of the sources', { sources: [A('b'), A('a')] }, true],
    ['another action', { sources: [A('a'), { service: 'b', action: 'deny' }] }, false],
    ['a source more', { sources: [A('a'), A('b'), A('c')] }, false],
    ['a description', { sources: [A('a'), { ...A('b'), description: 'x' }] }, false],
  ])('has with %s: the same digest? (%#)', (_, spec, same) => {
    const first = plan(intention({ sources: [A('a'), A('b')] }));
    expect(plan(intention(spec)).digest === first.digest).toBe(same);
  });

  it.each([
    ['owner', (one: Intention) => planIntention(one, 'kubernetes/test')],
    ['object', (one: Intention) => planIntention({ ...one, metadata: { name: 'other' } }, 'kubernetes/prod')],
    ['uid', (one: Intention) => planIntention({ ...one, metadata: { name: 'web', uid: 'b' } }, 'kubernetes/prod')],
  ])('has another digest for another %s', (_, other) => {
    expect(other(stored(intention({}))).digest).not.toBe(plan(intention({})).digest);
  });

  it('has the digest of what a server shows after it was written', async () => {
    const server = await RunningServer.start();
    try {
      const put = (entry: object) => server.call('PUT', '/v1/config', { body: entry });
      await put({ Kind: 'service-defaults', Name: 'api', Protocol: 'http' });
      const JSONWebKeySet = { Local: { JWKS: Buffer.from('{"keys":[]}').toString('base64') } };
      await put({ Kind: 'jwt-provider', Name: 'okta', JSONWebKeySet });
      const client = server.composed.intentionClient;
      for (const declared of [RICH, source({ action: 'deny' })]) {
        const { entry, digest } = plan(declared);
        expect(await client.put(entry, 0)).toBe(true);
        const shown = (await client.read(entry.Name))!;
        expect(shown).toHaveProperty('Sources[0].Precedence');
        expect(entryDigest(shown)).toBe(digest);
      }
    } finally {
      await server.stop();
    }
  });
});

function A(service: string): object {
  return { service, action: 'allow' };
}
