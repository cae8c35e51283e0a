import type { HealthEntry, Node } from '../../api/shapes/catalog.ts';
import { FakeClock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { Metrics } from '../../core/metrics.ts';
import { SeededRandom } from '../../core/random.ts';
import type { CatalogSource, Indexed } from './catalog-source.ts';
import { LocalView } from './local-view.ts';

const entry = (port: number) => ({ Service: { Port: port } }) as HealthEntry;

/** Answers first questions at once and later ones when `change` is called. */
class FakeSource implements CatalogSource {
  readonly services = new Map<string, HealthEntry[]>();
  readonly asked: string[] = [];
  failure: AppError | undefined;
  index = 1;
  #waiting: (() => void)[] = [];

  async service(
    _ns: string,
    name: string,
    index: number,
    signal: AbortSignal,
  ): Promise<Indexed<readonly HealthEntry[]>> {
    await this.#enter(`${name} ${index}`, index, signal);
    return { value: this.services.get(name.toLowerCase()) ?? [], index: this.index };
  }

  async node(name: string, index: number, signal: AbortSignal): Promise<Indexed<Node | undefined>> {
    await this.#enter(`node ${name} ${index}`, index, signal);
    return { value: name === 'n1' ? ({ Node: 'n1' } as Node) : undefined, index: this.index };
  }

  async dnsLookup<T>(path: string, query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<T | null> {
    await this.#enter(`${path}?${new URLSearchParams(query)}`, 0, signal);
    return path === 'query/geo' ? ({ service: 'web', entries: [] } as T) : null;
  }

  /** Blocked questions are answered, or fail. */
  change(): void {
    this.index++;
    for (const resume of this.#waiting.splice(0)) resume();
  }

  get open(): number {
    return this.#waiting.length;
  }

  async #enter(question: string, index: number, signal: AbortSignal): Promise<void> {
    this.asked.push(question);
    if (this.failure) throw this.failure;
    if (index === 0) return;
    await new Promise<void>((resume) => {
      this.#waiting.push(resume);
      signal.addEventListener('abort', () => {
        this.#waiting = this.#waiting.filter((one) => one !== resume);
        resume();
      });
    });
    if (this.failure) throw this.failure;
  }
}

describe('local view', () => {
  let clock: FakeClock;
  let source: FakeSource;
  let view: LocalView;
  let stop: AbortController;
  let running: Promise<void>;

  const begin = (failure?: AppError) => {
    clock = new FakeClock();
    source = new FakeSource();
    source.failure = failure;
    source.services.set('web', [entry(80)]);
    stop = new AbortController();
    const deps = { source, clock, random: new SeededRandom(1), metrics: new Metrics() };
    view = new LocalView(deps, { maxFollowed: 3, idleMs: 60_000 });
    running = view.run({ signal: stop.signal, ready: () => {} });
  };
  afterEach(async () => {
    stop.abort();
    await clock.advance(1);
    await running;
    expect(source.open).toBe(0);
  });

  it('asks once and then follows', async () => {
    begin();
    expect(await view.service('default', 'web')).toEqual({ found: true, entries: [entry(80)] });
    expect((await view.service('default', 'WEB')).entries).toEqual([entry(80)]);
    await clock.advance(10);
    expect(source.asked.filter((one) => one.startsWith('web'))).toEqual(['web 0', 'web 1']);
    source.services.set('web', [entry(81)]);
    source.change();
    await clock.advance(1);
    expect((await view.service('default', 'web')).entries).toEqual([entry(81)]);
    expect(await view.node('N1'.toLowerCase())).toEqual({ Node: 'n1' });
  });

  it('is not synced before the first contact, and errors are not absence', async () => {
    begin(new AppError('unavailable', 'no server'));
    await clock.advance(1);
    expect(view.synced()).toBe(false);
    await expect(view.service('default', 'web')).rejects.toMatchObject({ code: 'unavailable' });
    source.failure = undefined;
    await clock.advance(2000);
    expect(view.synced()).toBe(true);
  });

  it('goes on answering with the servers away, and catches up after', async () => {
    begin();
    await view.service('default', 'web');
    source.failure = new AppError('unavailable', 'no server');
    source.change();
    await clock.advance(60_000 - 1);
    expect((await view.service('default', 'web')).found).toBe(true);
    source.services.set('web', [entry(99)]);
    source.failure = undefined;
    await clock.advance(15_000);
    expect((await view.service('default', 'web')).entries).toEqual([entry(99)]);
  });

  it('shares one question among many who ask at once', async () => {
    begin();
    await Promise.all(Array.from({ length: 50 }, () => view.service('default', 'web')));
    expect(source.asked.filter((one) => one === 'web 0')).toHaveLength(1);
  });

  it('does not follow what does not exist', async () => {
    begin();
    for (let i = 0; i < 20; i++) expect((await view.service('default', `made-up-${i}`)).found).toBe(false);
    await clock.advance(10);
    expect(source.open).toBe(0);
  });

  it('follows a bounded number of names, the last used', async () => {
    begin();
    for (const name of ['a', 'b', 'c', 'd', 'e']) source.services.set(name, [entry(1)]);
    for (const name of ['a', 'b', 'c', 'a', 'd']) await view.service('default', name);
    await clock.advance(10);
    expect(source.open).toBe(3);
    source.asked.length = 0;
    for (const name of ['a', 'c', 'd']) await view.service('default', name);
    expect(source.asked).toEqual([]);
  });

  it('drops what nobody asks for', async () => {
    begin();
    await view.service('default', 'web');
    await clock.advance(120_000);
    expect(source.open).toBe(0);
  });
});
