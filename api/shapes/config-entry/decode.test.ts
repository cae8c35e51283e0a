import { checkConfigEntry, decodeConfigEntry } from './decode.ts';

describe('null in a configuration entry', () => {
  it.each([
    { Kind: 'api-gateway', Name: 'g', Listeners: [null] },
    { Kind: 'service-defaults', Name: 'web', UpstreamConfig: { Overrides: [null], Defaults: null } },
    { Kind: 'ingress-gateway', Name: 'g', Listeners: [null, { Services: [null] }] },
    { Kind: 'service-resolver', Name: 'web', Subsets: { v1: null }, Failover: { '*': null } },
    { Kind: 'http-route', Name: 'r', Rules: [null, { Matches: [null], Services: [null] }] },
    { Kind: 'service-intentions', Name: 'web', Sources: [null] },
  ])('stands for an empty object in a list or map: $Kind', (given) => {
    const entry = decodeConfigEntry(given);
    // Whether it makes sense is another question; it has an answer.
    let refusal: unknown;
    try {
      checkConfigEntry(entry);
    } catch (error) {
      refusal = error;
    }
    expect(refusal ?? { code: 'badRequest' }).toMatchObject({ code: 'badRequest' });
  });

  it('has the objects that are always there', () => {
    const entry = decodeConfigEntry({ Kind: 'api-gateway', Name: 'g', Listeners: [null] });
    expect(entry).toMatchObject({ Listeners: [{ TLS: {} }] });
  });
});
