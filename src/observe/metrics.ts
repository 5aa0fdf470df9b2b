/**
 * The Prometheus registry: counters and durations are fed by observations, gauges are read from the views at each scrape.
 *
 * Series of a pool that is no longer there disappear, its counters too. Decides nothing about pools.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import type { MetricsPort } from '../http/ports.ts';
import { metricDefinitions } from './metric-definitions.ts';
import { createEventMeter, type Meters } from './metric-events.ts';
import { readings, type Views } from './metric-readings.ts';
import { gaugeText } from './metric-text.ts';
import type { Observer } from './observe.ts';

export interface MetricsOptions {
  readonly nodeId: string;
  readonly views: Views;
  /** Failures of observers so far, by name. */
  readonly failures?: () => ReadonlyMap<string, number>;
}

export const createMetrics = ({ nodeId, views, failures = () => new Map() }: MetricsOptions): MetricsPort & Observer => {
  const registry = new Registry();
  registry.setDefaultLabels({ node_id: nodeId });
  const { counters, histograms } = register(registry);
  collectProcessMetrics(registry);

  /** How to take out the series of one pool. */
  const removals = new Map<string, Map<string, () => void>>();
  const noteSeries = (name: string, labels: Readonly<Record<string, string>>, remove: () => void): void => {
    const poolId = labels['pool_id'];
    if (poolId === undefined || poolId === '') return;
    const ofPool = removals.get(poolId) ?? new Map<string, () => void>();
    removals.set(poolId, ofPool);
    const series = `${name} ${Object.values(labels).join(' ')}`;
    if (!ofPool.has(series)) ofPool.set(series, remove);
  };

  const meters: Meters = {
    count: (name, labels) => {
      counters.get(name)?.inc(labels);
      noteSeries(name, labels, () => counters.get(name)?.remove(labels));
    },
    time: (name, labels, seconds) => {
      histograms.get(name)?.observe(labels, seconds);
      noteSeries(name, labels, () => histograms.get(name)?.remove(labels));
    },
  };

  const dropRemovedPools = (present: ReadonlySet<string>): void => {
    for (const [poolId, series] of removals) {
      if (present.has(poolId)) continue;
      for (const remove of series.values()) remove();
      removals.delete(poolId);
    }
  };

  const told = new Map<string, number>();
  const countFailures = (): void => {
    for (const [observer, count] of failures()) {
      counters.get('node_observer_failures_total')?.inc({ observer }, count - (told.get(observer) ?? 0));
      told.set(observer, count);
    }
  };

  return {
    name: 'metrics',
    observe: createEventMeter(meters),
    contentType: registry.contentType,
    render: async () => {
      dropRemovedPools(new Set(views.pools().map((pool) => pool.pool_id)));
      countFailures();
      // Read at once, written in parts: with many pools the text is a megabyte, and nobody is to wait for all of it.
      const parts: string[] = [];
      for (const [name, series] of readings(views)) {
        parts.push(gaugeText(name, metricDefinitions[name], series, { node_id: nodeId }));
        await nextTurn();
      }
      for (const { name } of registry.getMetricsAsArray()) {
        parts.push((await registry.getSingleMetricAsString(name)).replace(notANumber, ''));
        await nextTurn();
      }
      return `${parts.join('\n')}\n`;
    },
  };
};

/** prom-client writes event-loop lag as `Nan` while nothing has been measured: unknown is absent. */
const notANumber = /^.* Nan(?:\n|$)/gm;

const register = (registry: Registry) => {
  const counters = new Map<string, Counter>();
  const histograms = new Map<string, Histogram>();
  for (const [name, { kind, labels, help, ...more }] of Object.entries(metricDefinitions)) {
    const config = { name, help, labelNames: [...labels], registers: [registry] };
    if (kind === 'counter') counters.set(name, new Counter(config));
    if (kind === 'histogram') histograms.set(name, new Histogram({ ...config, buckets: 'buckets' in more ? [...more.buckets] : [] }));
  }
  return { counters, histograms };
};

/** Milliseconds. prom-client's 10 are a hundred wakings a second, which is more than all else of a daemon at rest. */
const lagMeasuredEveryMs = 100;

/** Process, memory, garbage collection and event-loop lag. What prom-client calls `_total` though it is a gauge stays off. */
const collectProcessMetrics = (register: Registry): void => {
  collectDefaultMetrics({ register, eventLoopMonitoringPrecision: lagMeasuredEveryMs });
  for (const { name } of register.getMetricsAsArray()) if (/^nodejs_active_/.test(name)) register.removeSingleMetric(name);
};
