// By file: the package's entry loads a push gateway, cluster support and a tracing library too, 13 MB that nobody needs.
import Counter from 'prom-client/lib/counter.js';
import Gauge from 'prom-client/lib/gauge.js';
import Histogram from 'prom-client/lib/histogram.js';
import Registry from 'prom-client/lib/registry.js';

/** Labels of one sample. Their values must come from a small fixed set (no names of users' objects). */
export type Labels = Readonly<Record<string, string | number>>;

export interface CounterMetric {
  add(value?: number, labels?: Labels): void;
}
export interface LabelledCounter extends CounterMetric {
  /** Counts one with these labels, on paths where finding the sample each time would cost too much. */
  bound(labels: Labels): () => void;
}
export interface GaugeMetric {
  set(value: number, labels?: Labels): void;
}
export interface HistogramMetric {
  observe(value: number, labels?: Labels): void;
}

/** What a metric is: `lictor_<part>_<what>_<unit>`, a sentence, and its label names. */
export interface MetricSpec {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

/** One registry a process; asking twice for a name gives the same metric. */
export class Metrics {
  readonly #registry = new Registry();
  /** Adds what bound counters have counted to their samples. */
  readonly #flushes: (() => void)[] = [];

  counter(spec: MetricSpec): LabelledCounter {
    const found = this.#registry.getSingleMetric(spec.name) as Counter | undefined;
    const metric = found ?? new Counter({ ...options(spec), registers: [this.#registry] });
    return {
      add: (value = 1, labels = {}) => metric.inc(labels, value),
      bound: (labels) => this.#bound(metric, labels),
    };
  }

  gauge(spec: MetricSpec): GaugeMetric {
    const found = this.#registry.getSingleMetric(spec.name) as Gauge | undefined;
    const metric = found ?? new Gauge({ ...options(spec), registers: [this.#registry] });
    return { set: (value, labels = {}) => metric.set(labels, value) };
  }

  /** A gauge read at the moment of a scrape. */
  observedGauge(spec: MetricSpec, read: () => number): void {
    new Gauge({
      ...options(spec),
      registers: [this.#registry],
      collect() {
        this.set(read());
      },
    });
  }

  histogram(spec: MetricSpec, buckets: readonly number[]): HistogramMetric {
    const found = this.#registry.getSingleMetric(spec.name) as Histogram | undefined;
    const metric = found ?? new Histogram({ ...options(spec), buckets: [...buckets], registers: [this.#registry] });
    return { observe: (value, labels = {}) => metric.observe(labels, value) };
  }

  #bound(metric: Counter, labels: Labels): () => void {
    let count = 0;
    this.#flushes.push(() => {
      if (count > 0) metric.inc(labels, count);
      count = 0;
    });
    return () => {
      count++;
    };
  }

  /** The Prometheus text format (version 0.0.4). */
  text(): Promise<string> {
    for (const flush of this.#flushes) flush();
    return this.#registry.metrics();
  }

  /** Names and texts of everything registered. */
  list(): { name: string; help: string }[] {
    return this.#registry.getMetricsAsArray().map((metric) => ({ name: metric.name, help: metric.help }));
  }
}

function options(spec: MetricSpec): { name: string; help: string; labelNames: string[] } {
  return { name: spec.name, help: spec.help, labelNames: [...(spec.labels ?? [])] };
}
