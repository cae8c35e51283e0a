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
    const { fails, writer, object } = setup();
    fails.push(new AppError('conflict', 'older'), new AppError('notFound', 'gone'));
    expect(await writer.write(object('Service'), ready('True'))).toEqual({ requeueAfterMs: 100 });
    expect(await writer.write(object('Service'), ready('True'))).toEqual({ done: true });
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
