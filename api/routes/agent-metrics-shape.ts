import { type RouteTiming, TIMING_INTERVAL_MS, type Timing } from '../http/request-timings.ts';
import { GAUGE_NAMES, pathLabel, REQUEST_NAMES } from './agent-metric-names.ts';

interface Metric {
  readonly Name: string;
  readonly Labels: Readonly<Record<string, string>>;
}

interface Aggregate {
  readonly Count: number;
  readonly Rate: number;
  readonly Sum: number;
  readonly Min: number;
  readonly Max: number;
  readonly Mean: number;
  readonly Stddev: number;
}

type Gauge = Metric & { readonly Value: number };
type Aggregated = Metric & Aggregate;

/** The form of GET /v1/agent/metrics (Consul HTTP API, "View Metrics"). */
export interface MetricsShape {
  readonly Timestamp: string;
  readonly Gauges: readonly Gauge[];
  readonly Points: readonly never[];
  readonly Counters: readonly Aggregated[];
  readonly Samples: readonly Aggregated[];
}

/**
 * Consul's JSON from the Prometheus text format (version 0.0.4) and the times of requests. What is named `consul.…` is of
 * the last interval, as Consul's; what is named `lictor_…` is the sum since the start. Consul's gauges carry the host's name
 * after the first part of theirs, unless it is ''.
 */
export function metricsShape(
  given: { readonly text: string; readonly timings: readonly RouteTiming[] },
  at: { readonly nowMs: number; readonly datacenter: string; readonly host: string },
): MetricsShape {
  const own = ownMetrics(given.text);
  const requests = requestMetrics(given.timings);
  return {
    Timestamp: `${new Date(at.nowMs).toISOString().slice(0, 19).replace('T', ' ')} +0000 UTC`,
    Gauges: byName([...own.gauges.flatMap((gauge) => consulGauge(gauge, at)), ...own.gauges]),
    Points: [],
    Counters: byName([...requests.counters, ...own.counters]),
    Samples: byName([...requests.samples, ...own.samples]),
  };
}

function consulGauge({ Name, Value }: Gauge, { datacenter, host }: { datacenter: string; host: string }): Gauge[] {
  const known = GAUGE_NAMES[Name];
  if (!known) return [];
  const Labels: Metric['Labels'] = known.ofCatalog ? { datacenter } : {};
  const names = known.also === undefined ? [known.name] : [known.name, known.also];
  return names.map((name) => ({ Name: host === '' ? name : name.replace('.', `.${host}.`), Labels, Value }));
}

function requestMetrics(timings: readonly RouteTiming[]): { counters: Aggregated[]; samples: Aggregated[] } {
  const counters: Aggregated[] = [];
  const samples: Aggregated[] = [];
  const named = new Map<string, Timing>();
  for (const { method, route, timing } of timings) {
    samples.push({ Name: 'consul.api.http', Labels: { method, path: pathLabel(route) }, ...aggregate(timing) });
    const { counter, sample } = REQUEST_NAMES[`${method} ${route}`] ?? {};
    const ones = { count: timing.count, sum: timing.count, sumOfSquares: timing.count, min: 1, max: 1 };
    if (counter) counters.push({ Name: counter, Labels: {}, ...aggregate(ones) });
    if (sample) named.set(sample, merged(named.get(sample), timing));
  }
  for (const [Name, timing] of named) samples.push({ Name, Labels: {}, ...aggregate(timing) });
  return { counters, samples };
}

function merged(a: Timing | undefined, b: Timing): Timing {
  if (!a) return b;
  return {
    count: a.count + b.count,
    sum: a.sum + b.sum,
    sumOfSquares: a.sumOfSquares + b.sumOfSquares,
    min: Math.min(a.min, b.min),
    max: Math.max(a.max, b.max),
  };
}

function aggregate({ count, sum, sumOfSquares, min, max }: Timing): Aggregate {
  const variance = count < 2 ? 0 : Math.max(0, (sumOfSquares - (sum * sum) / count) / (count - 1));
  return {
    Count: count,
    Rate: sum / (TIMING_INTERVAL_MS / 1000),
    Sum: sum,
    Min: min,
    Max: max,
    Mean: count === 0 ? 0 : sum / count,
    Stddev: Math.sqrt(variance),
  };
}

/** Histograms become samples of count and sum. */
function ownMetrics(text: string): { gauges: Gauge[]; counters: Aggregated[]; samples: Aggregated[] } {
  const found = { gauges: [] as Gauge[], counters: [] as Aggregated[], samples: [] as Aggregated[] };
  let type = '';
  const sums = new Map<string, number>();
  for (const line of text.split('\n')) {
    const declared = /^# TYPE \S+ (\w+)$/.exec(line);
    if (declared) type = declared[1]!;
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
    if (!match) continue;
    const [, name, labelText = '', number] = match;
    const value = Number(number);
    const metric: Metric = { Name: name!, Labels: labelsOf(labelText) };
    // What is not there has no number in JSON.
    if (type === 'gauge') found.gauges.push(...(Number.isFinite(value) ? [{ ...metric, Value: value }] : []));
    else if (type === 'counter') found.counters.push({ ...metric, ...total(1, value) });
    else if (name!.endsWith('_sum')) sums.set(`${name!.slice(0, -4)}{${labelText}}`, value);
    else if (name!.endsWith('_count')) {
      const Name = name!.slice(0, -6);
      found.samples.push({ ...metric, Name, ...total(value, sums.get(`${Name}{${labelText}}`) ?? 0) });
    }
  }
  return found;
}

function total(count: number, sum: number): Aggregate {
  return { Count: count, Rate: 0, Sum: sum, Min: 0, Max: 0, Mean: count === 0 ? 0 : sum / count, Stddev: 0 };
}

function labelsOf(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map((match) => [match[1]!, match[2]!]));
}

function byName<T extends Metric>(metrics: T[]): T[] {
  return metrics.sort((a, b) => (a.Name < b.Name ? -1 : a.Name > b.Name ? 1 : 0));
}
