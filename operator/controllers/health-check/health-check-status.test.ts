import type { HealthCheck, HealthCheckStatusFailing } from '../../../crds/types/index.ts';
import type { MirrorCheck } from '../../catalog-mirror/catalog-mirror.ts';
import { healthCheckStatus, MAX_FAILING } from './health-check-status.ts';

const BEFORE = '2026-01-01T00:00:00Z';
const NOW = '2026-01-02T00:00:00Z';
const NOT_RUN = 'the agent of node n1 has not run this check yet';

const object = (failing: HealthCheckStatusFailing[] = []): HealthCheck => ({
  apiVersion: 'lictor.dev/v1alpha1',
  kind: 'HealthCheck',
  metadata: { name: 'alive', generation: 3 },
  spec: { serviceRef: { name: 'web' }, tcp: {}, interval: '5s' },
  status: { failing },
});
const on = (id: string, status: MirrorCheck['status'], output = '') => ({
  entry: { namespace: 'default', node: 'n1', id, service: 'web', address: '', port: 0, ref: '', hash: '', checks: [] },
  check: { id: `alive:${id}`, status, output },
});
const row = (output: string, status: 'critical' | 'warning' = 'critical') => ({
  instance: 'a',
  node: 'n1',
  status,
  output,
  since: BEFORE,
});
const WISHES = { Ready: { status: 'True', reason: 'Registered', message: '' } } as const;
const statusOf = (before: HealthCheckStatusFailing[], checks: ReturnType<typeof on>[]) =>
  healthCheckStatus(object(before), checks, WISHES, NOW);

describe('the status of a HealthCheck', () => {
  it('counts the states and lists the critical ones first', () => {
    const status = statusOf([], [on('a', 'passing'), on('b', 'warning', 'slow'), on('c', 'critical', 'refused')]);
    expect(status).toMatchObject({ passing: 1, warning: 1, critical: 1, omitted: 0, observedGeneration: 3 });
    expect(status.failing.map(({ instance, since }) => [instance, since])).toEqual([
      ['c', NOW],
      ['b', NOW],
    ]);
  });

  it.each([
    ['keeps the output while the state is the same', row('refused'), 'timed out', { output: 'refused', since: BEFORE }],
    ['takes the first output of a check', row(NOT_RUN), 'refused', { output: 'refused', since: BEFORE }],
    ['takes an output that was missing', row(''), 'refused', { output: 'refused', since: BEFORE }],
    ['takes both anew when the state changed', row('slow', 'warning'), 'refused', { output: 'refused', since: NOW }],
    ['keeps that a check has not run', row(NOT_RUN), NOT_RUN, { output: NOT_RUN, since: BEFORE }],
  ])('%s', (_, before, output, expected) => {
    expect(statusOf([before], [on('a', 'critical', output)]).failing).toEqual([
      { instance: 'a', node: 'n1', status: 'critical', ...expected },
    ]);
  });

  it('lists a bounded number and counts the rest', () => {
    const many = Array.from({ length: MAX_FAILING + 7 }, (_, at) => on(`i${at}`, 'critical', 'refused'));
    expect(statusOf([], many)).toMatchObject({ critical: MAX_FAILING + 7, omitted: 7 });
    expect(statusOf([], many).failing).toHaveLength(MAX_FAILING);
  });
});
