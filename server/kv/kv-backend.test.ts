import type { KvBackendDeps } from './kv-backend.ts';
import { StateKvBackend } from './kv-backend.ts';
import { KvTable } from './kv-table.ts';
import { KvWatches } from './kv-watches.ts';

describe('an acquire of a session whose end becomes certain meanwhile', () => {
  it('is told that there is no such session once that is stored, and not before', async () => {
    let ends = false;
    let stored: () => void = () => {};
    const storing = new Promise<void>((resolve) => {
      stored = resolve;
    });
    const sessions = {
      find: () => undefined,
      ending: () => (ends ? storing : undefined),
      delayedUntil: () => undefined,
    };
    // Its turn comes late: the session's time is over by then.
    const writer = {
      write: async (plan: () => unknown) => {
        ends = true;
        plan();
        return 1;
      },
    };
    const state = { keys: { table: (segment: string, rest: string) => `${segment}/${rest}` } };
    const watches = new KvWatches({ maxWatchers: 10 } as never);
    const table = new KvTable({ watches });
    const backend = new StateKvBackend({ state, writer, table, watches, sessions } as unknown as KvBackendDeps);
    let answer: unknown;
    const put = { namespace: 'default', key: 'k', value: Buffer.from('v'), flags: 0n, acquire: 's' };
    const done = backend.put(put as never).then((result) => {
      answer = result;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(answer).toBeUndefined();
    stored();
    await done;
    expect(answer).toBe('noSession');
  });
});
