import fc from 'fast-check';
import { AppError } from '../../core/errors.ts';
import { cardOf } from './join-routes.ts';
import type { ServerCard } from './known-servers.ts';

const CARD: ServerCard = {
  name: 'a',
  id: 'id-a',
  address: '10.0.0.1:8300',
  datacenter: 'dc1',
  expect: 3,
  state: 'waiting',
  clusterId: '',
  knows: [{ name: 'a', address: '10.0.0.1:8300' }],
};

describe('cardOf', () => {
  it('gives back what a server tells', () => {
    expect(cardOf(Buffer.from(JSON.stringify(CARD)))).toEqual(CARD);
  });

  it.each<[string, unknown, RegExp]>([
    ['name', 'a,b', /^name must be/],
    ['name', 'a=b', /^name must be/],
    ['expect', -1, /^expect must be a count/],
    ['state', 'done', /^state must be waiting, bootstrapping or formed/],
    ['clusterId', 'x', /^clusterId must be/],
    ['knows', Array(101).fill(CARD.knows[0]), /^knows must be up to 100 servers/],
    ['knows', [null], /JSON object/],
  ])('refuses a wrong %s and names it', (field, value, text) => {
    expect(() => cardOf(Buffer.from(JSON.stringify({ ...CARD, [field]: value })))).toThrow(text);
  });

  it('gives a card or says what is wrong, whatever comes', () => {
    const part = fc.record({ name: fc.anything(), expect: fc.anything(), knows: fc.anything(), state: fc.anything() });
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      part.map((some) => JSON.stringify({ ...CARD, ...some }, (_, value) => (typeof value === 'bigint' ? 1 : value))),
    );
    fc.assert(
      fc.property(text, (body) => {
        try {
          cardOf(Buffer.from(body));
        } catch (error) {
          expect(error).toBeInstanceOf(AppError);
          expect((error as AppError).code).toBe('badRequest');
        }
      }),
    );
  });
});
