import { FakeClock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { Metrics } from '../../core/metrics.ts';
import type { Condition } from '../../crds/types/index.ts';
import { StatusWriter, type WithStatus } from './status-writer.ts';

function ready(status: 'True' | 'False'): { conditions: Condition[] } {
  const condition = {
    type: 'Ready',
    status,
    reason: 'Tested',
    message: '',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  };
  return { conditions: [condition as Condition] };
}

function setup() {
  const clock = new FakeClock();
  const written: string[] = [];
  const events: string[] = [];
  const fails: unknown[] = [];
  const writer = new StatusWriter({
    sink: {
      async write(object) {
        if (fails.length > 0) throw fails.shift();
        written.push(`${object.kind}/${object.metadata.name}`);
      },
    },
    leadership: { epoch: 1, check() {} } as never,
    events: { record: (_object, type) => void events.push(type) },
    clock,
    random: { next: () => 0 },
    metrics: new Metrics(),
  });
  const object = (kind: string): WithStatus => ({
    apiVersion: 'lictor.dev/v1alpha1',
    kind,
    metadata: { name: 'web', namespace: 'shop' },
  });
  return { clock, written, events, fails, writer, object };
}

describe('status writer', () => {
  it('writes what differs at once, the next within half a second only after it', async () => {
    const { clock, written, writer, object } = setup();
    expect(await writer.write(object('Service'), ready('True'))).toEqual({ done: true });
    await clock.advance(400);
    expect(await writer.write(object('Service'), ready('False'))).toEqual({ requeueAfterMs: 100 });
    await clock.advance(100);
    await writer.write(object('Service'), ready('False'));
    expect(written).toEqual(['Service/web', 'Service/web']);
  });

  it('gives objects of different kinds and one name a second each', async () => {
    const { written, writer, object } = setup();
    await writer.write(object('Service'), ready('True'));
    expect(await writer.write(object('HealthCheck'), ready('True'))).toEqual({ done: true });
    expect(written).toEqual(['Service/web', 'HealthCheck/web']);
  });

  it('writes nothing when nothing differs', async () => {
    const { written, writer, object } = setup();
    await writer.write({ ...object('Service'), status: ready('True') }, ready('True'));
    expect(written).toEqual([]);
  });

  it('looks again soon after a conflict, and is done when the object is gone', async () => {
    const { clock, fails, writer, object } = setup();
    fails.push(new AppError('conflict', 'older'), new AppError('notFound', 'gone'));
    expect(await writer.write(object('Service'), ready('True'))).toEqual({ requeueAfterMs: 100 });
    await clock.advance(100);
    expect(await writer.write(object('Service'), ready('True'))).toEqual({ done: true });
  });

  it('waits longer after each conflict in a row, whoever asks for the next try', async () => {
    const { clock, fails, writer, written, object } = setup();
    const waits: number[] = [];
    for (let conflicts = 0; conflicts < 10; conflicts++) {
      fails.push(new AppError('conflict', 'older'));
      const result = await writer.write(object('Service'), ready('True'));
      waits.push((result as { requeueAfterMs: number }).requeueAfterMs);
      await clock.advance(waits.at(-1)! - 1);
      expect(await writer.write(object('Service'), ready('True'))).toEqual({ requeueAfterMs: 1 });
      await clock.advance(1);
    }
    expect(waits).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000]);
    await writer.write(object('Service'), ready('True'));
    await clock.advance(500);
    fails.push(new AppError('conflict', 'older'));
    expect(await writer.write(object('Service'), ready('False'))).toEqual({ requeueAfterMs: 100 });
    expect(written).toHaveLength(1);
  });

  it('records an Event when Ready changes, not for a new object that is well', async () => {
    const { clock, events, writer, object } = setup();
    await writer.write(object('Service'), ready('True'));
    await clock.advance(1_000);
    await writer.write({ ...object('Service'), status: ready('True') }, ready('False'));
    await clock.advance(1_000);
    await writer.write({ ...object('Service'), status: ready('False') }, ready('True'));
    expect(events).toEqual(['Warning', 'Normal']);
  });
});
