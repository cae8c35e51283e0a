import { FakeClock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { silentLogger } from '../../core/log.ts';
import { Departure, type DepartureOptions } from './departure.ts';

function departing(
  options: Partial<DepartureOptions> = {},
  deregister?: () => Promise<void>,
  mayLeave?: () => Promise<void>,
) {
  const stop = new AbortController();
  const gone: string[] = [];
  const clock = new FakeClock();
  const departure = new Departure(
    {
      clock,
      log: silentLogger,
      stop: () => stop.abort(),
      mayLeave,
      catalog: { deregister: deregister ?? (async ({ Node }) => void gone.push(Node)) },
    },
    { nodeName: 'n1', deregisters: true, leavesOnStop: () => false, ...options },
  );
  const done = departure.run({ signal: stop.signal, ready() {} });
  return { departure, stop, gone, clock, done };
}

describe('an agent that leaves', () => {
  it('stops its process and takes its node out of the catalog before it says so', async () => {
    const { departure, gone, done } = departing();
    await departure.leave();
    expect(gone).toEqual(['n1']);
    await done;
  });

  it('goes on when it must not leave', async () => {
    const { departure, stop, gone } = departing({}, undefined, () => {
      return Promise.reject(new AppError('unavailable', 'no quorum without it'));
    });
    await expect(departure.leave()).rejects.toThrow('no quorum without it');
    expect([stop.signal.aborted, gone]).toEqual([false, []]);
  });

  it('stays in the catalog when it is only stopped', async () => {
    const { stop, gone, done } = departing();
    stop.abort();
    await done;
    expect(gone).toEqual([]);
  });

  it('leaves on a stop when the configuration says so', async () => {
    const { stop, gone, done } = departing({ leavesOnStop: () => true });
    stop.abort();
    await done;
    expect(gone).toEqual(['n1']);
  });

  it('keeps the node of a server', async () => {
    const { departure, gone } = departing({ deregisters: false });
    await departure.leave();
    expect(gone).toEqual([]);
  });

  it('stops all the same when the servers refuse or hang', async () => {
    const refused = departing({}, async () => {
      throw new AppError('unavailable', 'No known Consul servers');
    });
    await refused.departure.leave();
    const hanging = departing({}, () => new Promise(() => {}));
    const left = hanging.departure.leave();
    await Promise.resolve();
    await hanging.clock.advance(5_000);
    await left;
    await hanging.done;
  });
});
