import { FakeClock } from '../core/clock.ts';
import { silentLogger } from '../core/log.ts';
import { ServerRegistration } from './server-registration.ts';

const IDENTITY = { nodeName: 'server-1', nodeId: 'id', nodeAddress: '10.0.0.1', serverPort: 8300, meta: {} };

describe('the registration of a server', () => {
  const clock = new FakeClock();
  let answers: ((error?: Error) => void)[];
  let load: () => void;
  let controller: AbortController;
  let done: Promise<void>;

  beforeEach(() => {
    answers = [];
    controller = new AbortController();
    const register = () =>
      new Promise<void>((resolve, reject) => answers.push((error) => (error ? reject(error) : resolve())));
    const state = {
      onReset: (listener: () => void) => {
        load = listener;
        return () => {};
      },
    };
    const registration = new ServerRegistration({ register, state, clock, log: silentLogger }, IDENTITY);
    done = registration.run({ signal: controller.signal, ready: () => {} });
  });
  afterEach(async () => {
    controller.abort();
    await clock.advance(10_000);
    await done;
  });

  it('is tried until it succeeds, and done again in each catalog that is loaded', async () => {
    answers[0]!(new Error('no quorum'));
    await clock.advance(6_000);
    answers[1]!();
    await clock.advance(60_000);
    expect(answers).toHaveLength(2);
    load();
    await clock.advance(6_000);
    answers[2]!();
    await clock.advance(60_000);
    expect(answers).toHaveLength(3);
  });

  it.each([1, 2])('is done again when another catalog is loaded during try %i', async (nth) => {
    for (let before = 1; before < nth; before++) {
      answers[before - 1]!(new Error('no quorum'));
      await clock.advance(6_000);
    }
    load();
    answers[nth - 1]!();
    await clock.advance(6_000);
    expect(answers).toHaveLength(nth + 1);
    answers[nth]!();
    await clock.advance(60_000);
    expect(answers).toHaveLength(nth + 1);
  });
});
