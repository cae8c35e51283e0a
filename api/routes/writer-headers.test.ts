import { writerHeaders, writerOf } from './writer-headers.ts';

describe('the headers that say who writes', () => {
  it('are read as they are written', () => {
    const writer = { owner: 'operator/k8s', epoch: 3, ref: 'Service/default/web', hash: 'h' };
    expect(writerOf(writerHeaders(writer))).toEqual(writer);
    expect(writerOf(writerHeaders({ owner: '', epoch: 0 }))).toEqual({ owner: '', epoch: 0 });
  });

  it('are refused where they name an object and not whose it is', () => {
    const refused = { code: 'badRequest', message: expect.stringMatching(/x-lictor-ref.*x-lictor-owner/) };
    for (const owner of [{}, { 'x-lictor-owner': '' }]) {
      const read = () => writerOf({ ...owner, 'x-lictor-ref': 'Service/default/web' });
      expect(read).toThrow(expect.objectContaining(refused));
    }
  });
});
