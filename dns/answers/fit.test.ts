import { answerSettings } from '../dns-options.ts';
import type { Answer } from './answer.ts';
import { fitAnswer, type Sections } from './fit.ts';

const settings = answerSettings({ hosts: [''], port: 0, datacenter: 'dc1' });
const RECORD_BYTES = 16;

/** An answer of so many addresses, and how many records were looked at to cut it. */
function cut(count: number, request: { ednsUdpSize?: number; transport: 'udp' | 'tcp' }) {
  let looked = 0;
  const fits = ({ answers }: Sections, maxBytes: number) => {
    looked += answers.length;
    return 12 + answers.length * RECORD_BYTES <= maxBytes;
  };
  const record = {} as Answer['answers'][number]['record'];
  const answers = Array.from({ length: count }, () => ({ record, glue: [], extras: [] }));
  const answer = { answers, authority: [], additional: [] } as unknown as Answer;
  const fitted = fitAnswer(answer, { ...request, type: 'A' }, fits, settings);
  return { answers: fitted.answers.length, truncated: fitted.truncated, looked };
}

describe('an answer that is too long', () => {
  it('is cut to what fits, and looked at no more than what may fit', () => {
    const few = cut(200, { transport: 'udp', ednsUdpSize: 1232 });
    const many = cut(50_000, { transport: 'udp', ednsUdpSize: 1232 });
    expect([few.answers, few.truncated]).toEqual([76, true]);
    expect([many.answers, many.truncated]).toEqual([76, true]);
    expect(many.looked).toBeLessThan(2000);
  });

  it('is whole where it fits', () => {
    expect(cut(70, { transport: 'udp', ednsUdpSize: 1232 })).toMatchObject({ answers: 70, truncated: undefined });
    expect(cut(4000, { transport: 'tcp' })).toMatchObject({ answers: 4000 });
  });
});
