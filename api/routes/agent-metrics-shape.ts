interface Sample {
  Name: string;
  Labels: Record<string, string>;
}

/** The form of GET /v1/agent/metrics (Consul HTTP API, "View Metrics"). */
export interface MetricsShape {
  Timestamp: string;
  Gauges: (Sample & { Value: number })[];
  Points: never[];
  Counters: (Sample & Aggregate)[];
  Samples: (Sample & Aggregate)[];
}

interface Aggregate {
  Count: number;
  Rate: number;
  Sum: number;
  Min: number;
  Max: number;
  Mean: number;
  Stddev: number;
}

/** Turns the Prometheus text format (version 0.0.4) into Consul's JSON; histograms become samples of count and sum. */
export function metricsShape(text: string, nowMs: number): MetricsShape {
  const shape: MetricsShape = {
    Timestamp: `${new Date(nowMs).toISOString().slice(0, 19).replace('T', ' ')} +0000 UTC`,
    Gauges: [],
    Points: [],
    Counters: [],
    Samples: [],
  };
  let type = '';
  const sums = new Map<string, number>();
  for (const line of text.split('\n')) {
    const declared = /^# TYPE \S+ (\w+)$/.exec(line);
    if (declared) type = declared[1]!;
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
    if (!match) continue;
    const [, name, labelText = '', number] = match;
    const value = Number(number);
    const sample: Sample = { Name: name!, Labels: labelsOf(labelText) };
    if (type === 'gauge') shape.Gauges.push({ ...sample, Value: value });
    else if (type === 'counter') shape.Counters.push({ ...sample, ...aggregate(1, value) });
    else if (name!.endsWith('_sum')) sums.set(`${name!.slice(0, -4)}{${labelText}}`, value);
    else if (name!.endsWith('_count')) {
      const base = name!.slice(0, -6);
      shape.Samples.push({ ...sample, Name: base, ...aggregate(value, sums.get(`${base}{${labelText}}`) ?? 0) });
    }
  }
  return shape;
}

function labelsOf(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map((match) => [match[1]!, match[2]!]));
}

function aggregate(count: number, sum: number): Aggregate {
  return { Count: count, Rate: 0, Sum: sum, Min: 0, Max: 0, Mean: count === 0 ? 0 : sum / count, Stddev: 0 };
}
