import type { NodeHealth } from '../../api/shapes/agent-sync.ts';
import { FakeClock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { silentLogger } from '../../core/log.ts';
import { RemoteNodes } from './remote-nodes.ts';

const health = (Known: boolean): NodeHealth => ({ Known, Services: [], Checks: [] });

/** Servers whose answers the test gives one after the other. */
function setup() {
  const clock = new FakeClock();
  const asked: string[] = [];
  const open = new Set<AbortSignal>();
  let answer: { resolve: (given: { index: number; health: NodeHealth }) => void; reject: (error: unknown) => void };
  const nodes = new RemoteNodes({
    clock,
    log: silentLogger,
    random: { next: () => 0.5 },
    servers: {
      health: (node, { index }, signal) =>
        new Promise((resolve, reject) => {
          asked.push(`${node}@${index}`);
          open.add(signal);
          signal.addEventListener('abort', () => {
            open.delete(signal);
            reject(signal.reason);
          });
          answer = { resolve, reject };
        }),
    },
  });
  return {
    nodes,
    asked,
    open,
    give: async (index: number, known: boolean) => {
      answer.resolve({ index, health: health(known) });
      await clock.advance(1_000);
    },
    fail: async () => {
      answer.reject(new AppError('unavailable', 'gone'));
      await clock.advance(20_000);
    },
  };
}

it('asks once for each node, tells all who follow it of each change, and stops with the last of them', async () => {
  const { nodes, asked, open, give } = setup();
  const told: string[] = [];
  const one = nodes.follow('n2', ({ Known }) => told.push(`one ${Known}`));
  await give(5, true);
  const two = nodes.follow('N2', ({ Known }) => told.push(`two ${Known}`));
  expect(told.splice(0)).toEqual(['one true', 'two true']);
  await give(5, true);
  expect(told).toEqual([]);
  await give(6, false);
  expect(told.splice(0)).toEqual(['one false', 'two false']);
  one();
  await give(7, true);
  expect(told).toEqual(['two true']);
  expect(asked).toEqual(['n2@0', 'n2@5', 'n2@5', 'n2@6', 'n2@7']);
  expect(open.size).toBe(1);
  two();
  expect(open.size).toBe(0);
});

it('says nothing while the servers are away, and begins anew after that and after an index that fell', async () => {
  const { nodes, asked, give, fail } = setup();
  const told: boolean[] = [];
  const stop = nodes.follow('n2', ({ Known }) => told.push(Known));
  await give(9, true);
  await fail();
  await fail();
  expect(told).toEqual([true]);
  await give(3, false);
  await give(2, true);
  expect(told).toEqual([true, false, true]);
  expect(asked).toEqual(['n2@0', 'n2@9', 'n2@0', 'n2@0', 'n2@3', 'n2@0']);
  stop();
});
