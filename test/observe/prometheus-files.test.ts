/** Alert rules and dashboard ask for metrics that there are, with labels that they have. promtool looks at them in test/system. */
import { describe, expect, it } from 'vitest';
import { metricDefinitions } from '../../src/observe/metric-definitions.ts';
import { alerts, dashboard, dashboardExpressions, metricsIn } from '../kit/prometheus-files.ts';

const known: Readonly<Record<string, { readonly labels: readonly string[] }>> = metricDefinitions;
const labelsOf = (name: string): readonly string[] => [...(known[name]?.labels ?? []), 'node_id', 'job', 'instance', 'le'];

const strangers = (expression: string): readonly string[] => [
  ...metricsIn(expression).filter((name) => !(name in known)),
  ...[...expression.matchAll(/\b((?:pool|gpu|node)_[a-z_]+)\{([^}]*)\}/g)].flatMap(([, name = '', selectors = '']) =>
    [...selectors.matchAll(/(\w+)\s*[=!]/g)]
      .map(([, label = '']) => label)
      .filter((label) => !labelsOf(name.replace(/_(bucket|sum|count)$/, '')).includes(label))
      .map((label) => `${name}{${label}}`),
  ),
];

describe('The alert rules', () => {
  it('name metrics and labels that there are', () => {
    expect(alerts().length).toBeGreaterThan(8);
    expect(alerts().flatMap(({ expr }) => strangers(expr))).toEqual([]);
  });

  it('speak in their summary of labels that their series have', () => {
    const odd = alerts().flatMap(({ alert, annotations }) =>
      [...annotations.summary.matchAll(/\$labels\.(\w+)/g)]
        .map(([, label = '']) => label)
        .filter((label) => !['node_id', 'pool_id', 'instance', 'gpu_index', 'state', 'observer'].includes(label))
        .map((label) => `${alert}: ${label}`),
    );
    expect(odd).toEqual([]);
  });
});

describe('The dashboard', () => {
  it('names metrics and labels that there are', () => {
    expect(dashboardExpressions().length).toBeGreaterThan(15);
    expect(dashboardExpressions().flatMap(strangers)).toEqual([]);
    expect(
      dashboard().templating.list.flatMap(({ definition = '' }) =>
        metricsIn(definition).filter((name) => !(name in known) && name !== 'pool_managerd_build_info'),
      ),
    ).toEqual([]);
  });

  it('has each panel once', () => {
    const { panels } = dashboard();
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  });

  it('would notice a name that there is not', () => {
    expect(strangers('sum(pool_nothing{pool_id="a"}) + pool_ready{gpu="x"}')).toEqual(['pool_nothing', 'pool_nothing{pool_id}', 'pool_ready{gpu}']);
  });
});
