import type { RouteRequest } from '../../api/http/route.ts';
import { MAX_HANDED_WRITES } from './handed-writes.ts';
import { WriteBatches } from './write-batches.ts';

type Sent = { paths: string[]; answer: (outcome: string) => void; fail: (error: Error) => void };

function batches(): { under: WriteBatches<string>; sent: Sent[]; add: (path: string) => Promise<string> } {
  const sent: Sent[] = [];
  const under = new WriteBatches<string>({
    send: (requests) => {
      const together = Promise.withResolvers<string>();
      const paths = requests.map(({ path }) => path);
      sent.push({ paths, answer: together.resolve, fail: together.reject });
      return paths.map(async (path) => `${await together.promise} ${path}`);
    },
    notSent: () => 'not sent',
  });
  return { under, sent, add: (path) => under.add({ path } as RouteRequest) };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('batches of writes', () => {
  it('send what comes in one turn together, and give each its own answer', async () => {
    const { sent, add } = batches();
    const outcomes = [add('a'), add('b')];
    await turn();
    expect(sent.map(({ paths }) => paths)).toEqual([['a', 'b']]);
    sent[0]!.answer('done');
    expect(await Promise.all(outcomes)).toEqual(['done a', 'done b']);
  });

  it('gather further writes while two are under way', async () => {
    const { sent, add } = batches();
    const outcomes: Promise<string>[] = [];
    for (const path of ['a', 'b', 'c', 'd']) {
      outcomes.push(add(path));
      await turn();
    }
    expect(sent.map(({ paths }) => paths)).toEqual([['a'], ['b']]);
    sent[1]!.answer('done');
    await outcomes[1];
    await turn();
    await turn();
    expect(sent.map(({ paths }) => paths)).toEqual([['a'], ['b'], ['c', 'd']]);
    for (const { answer } of sent) answer('done');
    expect(await Promise.all(outcomes)).toEqual(['done a', 'done b', 'done c', 'done d']);
  });

  it('are bounded', async () => {
    const { sent, add } = batches();
    const outcomes = Array.from({ length: MAX_HANDED_WRITES + 1 }, (_, n) => add(String(n)));
    await turn();
    await turn();
    expect(sent.map(({ paths }) => paths.length)).toEqual([MAX_HANDED_WRITES, 1]);
    for (const { answer } of sent) answer('done');
    await Promise.all(outcomes);
  });

  it('let those go that wait behind a server that does not answer', async () => {
    const { sent, add } = batches();
    const lost: Promise<string>[] = [];
    for (const path of ['a', 'b']) {
      lost.push(add(path));
      await turn();
    }
    const waiting = add('c');
    const outcomes = Promise.allSettled(lost);
    for (const { fail } of sent) fail(new Error('no answer'));
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await waiting).toBe('not sent');
    expect(sent).toHaveLength(2);
  });
});
