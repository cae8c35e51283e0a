import { FakeClock } from '../core/clock.ts';
import { AppError, errorText } from '../core/errors.ts';
import type { ApiRequest, HttpApi } from './http-api.ts';
import { HeldLock, type LockOptions } from './lock-holder.ts';

const OPTIONS: LockOptions = { prefix: 'p', limit: 1, retries: 3, timeoutMs: 0, name: 'test' };
const NEVER = new AbortController().signal;

/** Servers that hold one key and one session, and fall silent when told to. */
class FakeServers {
  readonly clock = new FakeClock();
  readonly reads: (string | undefined)[] = [];
  /** How often taking the lock is refused though nobody holds it. */
  refusals = 0;
  isSilent = false;
  /** When the last renewal that was answered was sent. */
  renewedAt = 0;
  #holder = '';

  readonly api = {
    put: async (path: string, { query = {}, timeoutMs = 30_000 }: ApiRequest = {}) => {
      if (this.isSilent) await this.#silence(timeoutMs);
      if (path === '/v1/session/create') return { ID: 's' };
      if (!query.acquire) return true;
      if (this.refusals-- > 0) return false;
      this.#holder = 's';
      return true;
    },
    send: async (_method: string, path: string, { query = {}, timeoutMs = 30_000 }: ApiRequest) => {
      if (this.isSilent) await this.#silence(timeoutMs);
      if (path.startsWith('/v1/session/renew/')) {
        this.renewedAt = this.clock.monotonic();
        return { status: 200 };
      }
      if ('wait' in query) await this.clock.sleep(15_000);
      this.reads.push(query.index as string | undefined);
      // The flags do not fit into a number.
      const text = () => `[{"Key":"p/.lock","Flags":3304740253564472344,"Session":"${this.#holder}"}]`;
      return { status: 200, index: '7', text };
    },
  } as unknown as HttpApi;

  async #silence(timeoutMs: number): Promise<never> {
    await this.clock.sleep(timeoutMs);
    throw new AppError('deadline', 'no answer in time');
  }

  lock(options: Partial<LockOptions> = {}): HeldLock {
    return new HeldLock({ api: this.api, say: () => {}, clock: this.clock }, { ...OPTIONS, ...options });
  }
}

describe('a held lock', () => {
  it('is lost a TTL after the last renewal, however slowly the later ones fail', async () => {
    const servers = new FakeServers();
    const lock = servers.lock({ retries: 1000 });
    expect(await lock.acquire(NEVER)).toBe(true);
    await servers.clock.advance(12_000);
    expect([servers.renewedAt, lock.lost.aborted]).toEqual([10_000, false]);
    servers.isSilent = true;
    await servers.clock.advance(12_900);
    expect(lock.lost.aborted).toBe(false);
    await servers.clock.advance(200);
    expect(lock.lost.aborted).toBe(true);
  });

  it('is kept through failures that end in time', async () => {
    const servers = new FakeServers();
    const lock = servers.lock();
    expect(await lock.acquire(NEVER)).toBe(true);
    servers.isSilent = true;
    await servers.clock.advance(9_000);
    servers.isSilent = false;
    await servers.clock.advance(60_000);
    expect(lock.lost.aborted).toBe(false);
    await lock.release();
  });
});

describe('letting go of a lock', () => {
  it.each([9_900, 10_100])('ends within seconds of servers that fall silent, %d ms after it was taken', async (ms) => {
    const servers = new FakeServers();
    const lock = servers.lock();
    expect(await lock.acquire(NEVER)).toBe(true);
    await servers.clock.advance(9_500);
    servers.isSilent = true;
    await servers.clock.advance(ms - 9_500);
    const released = lock.release().catch((error: unknown) => errorText(error));
    await servers.clock.advance(5_000);
    expect(await Promise.race([released, 'still waiting'])).toBe(
      'no answer in time; the session s ends by its TTL within 30 s, which frees the lock; its lock delay of 15 s follows',
    );
  });

  it('ends the session also where the key cannot be let go of in time', async () => {
    const servers = new FakeServers();
    const lock = servers.lock();
    await lock.acquire(NEVER);
    servers.isSilent = true;
    const released = lock.release().catch((error: unknown) => errorText(error));
    await servers.clock.advance(3_999);
    servers.isSilent = false;
    await servers.clock.advance(1);
    expect(await Promise.race([released, 'still waiting'])).toBe('no answer in time');
  });
});

describe('taking a lock', () => {
  it('is tried again soon when it is refused though nobody holds it', async () => {
    const servers = new FakeServers();
    servers.refusals = 3;
    const lock = servers.lock();
    const taken = lock.acquire(NEVER);
    await servers.clock.advance(6_000);
    expect(await Promise.race([taken, 'still waiting'])).toBe(true);
    // None waits for a change: the end of a lock delay is none.
    expect(servers.reads.filter((index) => index !== undefined)).toEqual([]);
    const released = lock.release();
    await servers.clock.advance(15_000);
    expect(await released).toBe(true);
  });

  it('is given up within seconds of an interrupt when servers are silent', async () => {
    const servers = new FakeServers();
    const stop = new AbortController();
    servers.isSilent = true;
    const taken = servers.lock().acquire(stop.signal);
    await servers.clock.advance(1_000);
    stop.abort();
    await servers.clock.advance(3_900);
    expect(await Promise.race([taken, 'still waiting'])).toBe('still waiting');
    await servers.clock.advance(200);
    expect(await Promise.race([taken, 'still waiting'])).toBe(false);
  });

  it.each([1.5, 7_200_000_000])('may take %d ms', async (timeoutMs) => {
    const servers = new FakeServers();
    servers.refusals = Number.POSITIVE_INFINITY;
    const taken = servers.lock({ timeoutMs }).acquire(NEVER);
    await servers.clock.advance(3_000);
    expect(await Promise.race([taken, 'still waiting'])).toBe(timeoutMs < 3_000 ? false : 'still waiting');
  });
});
