import type { Registration } from '../../../api/shapes/registration.ts';
import { FakeClock } from '../../../core/clock.ts';
import { AppError } from '../../../core/errors.ts';
import { silentLogger } from '../../../core/log.ts';
import { Metrics } from '../../../core/metrics.ts';
import { FakeCatalog } from '../../../test/support/fake-catalog.ts';
import { CatalogMirror, mirrorKey } from '../../catalog-mirror/catalog-mirror.ts';
import { DeleteEvidence } from '../../sweep-guard/delete-evidence.ts';
import { Handovers } from '../handovers.ts';
import { InstanceWriter } from './instance-writer.ts';
import type { PlannedInstance } from './plan-registrations.ts';

const clock = new FakeClock();

function setup() {
  const catalog = new FakeCatalog();
  const open = new Set<string>();
  const ends: (() => void)[] = [];
  const register = catalog.register.bind(catalog);
  catalog.register = async (registration: Registration, writer) => {
    const { Address } = registration.Service!;
    open.add(Address!);
    await new Promise<void>((resolve) => ends.push(resolve));
    await register(registration, writer).finally(() => open.delete(Address!));
  };
  const metrics = new Metrics();
  const mirror = new CatalogMirror(
    { client: catalog, clock, random: { next: () => 0 }, log: silentLogger, metrics },
    { owner: 'kubernetes/x' },
  );
  const leadership = { epoch: 1, check() {}, lost() {} };
  const evidence = new DeleteEvidence({ clock });
  const handovers = new Handovers({ clock });
  const writer = new InstanceWriter(
    { mirror, catalog, leadership, evidence, handovers, metrics },
    { owner: 'kubernetes/x' },
  );
  return { catalog, writer, open, ends };
}

const plan = (count: number): PlannedInstance[] =>
  Array.from({ length: count }, (_, at) => ({
    key: mirrorKey('default', 'n1', `web-${at}`),
    registration: { Node: 'n1', Service: { ID: `web-${at}`, Service: 'web', Address: `10.0.0.${at}` } },
    hash: 'h1',
  }));

describe('instance writer', () => {
  it('ends, when it is told to, only after all that it has sent', async () => {
    const { writer, open, ends } = setup();
    const stop = new AbortController();
    const applied = writer.apply('Service/default/web', { register: plan(40), remove: [] }, stop.signal);
    let ended = false;
    applied.catch(() => {
      ended = true;
    });
    await clock.advance(0);
    const [first, ...others] = ends;
    stop.abort();
    first!();
    await clock.advance(0);
    expect(ended).toBe(false);
    expect(open.size).toBe(others.length);
    for (const end of others) end();
    await expect(applied).rejects.toMatchObject({ code: 'deadline' });
    expect([open.size, ends.length]).toEqual([0, 1 + others.length]);
  });

  it('is done when all was sent before it was told to end', async () => {
    const { catalog, writer, ends } = setup();
    const stop = new AbortController();
    const applied = writer.apply('Service/default/web', { register: plan(3), remove: [] }, stop.signal);
    await clock.advance(0);
    stop.abort();
    for (const end of ends) end();
    await applied;
    expect(catalog.instances.size).toBe(3);
  });

  it('sends all, however many fail, and rejects with a failure that may pass', async () => {
    const { catalog, writer } = setup();
    catalog.register = async ({ Service }) => {
      if (Service!.ID === 'web-7') throw new AppError('unavailable', 'no quorum');
      if (Service!.ID !== 'web-39') throw new AppError('badRequest', 'refused');
      catalog.writes.push(Service!.ID!);
    };
    const applied = writer.apply('Service/default/web', { register: plan(40), remove: [] }, AbortSignal.any([]));
    await expect(applied).rejects.toMatchObject({ code: 'unavailable' });
    expect(catalog.writes).toEqual(['web-39']);
  });
});
