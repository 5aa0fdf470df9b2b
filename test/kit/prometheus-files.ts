/** The expressions in the alert rules and the dashboard of `packaging/prometheus`, and the metrics that they name. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { parse } from 'yaml';

export const folder = join(import.meta.dirname, '../../packaging/prometheus');

const rulesSchema = v.object({
  groups: v.array(
    v.object({ name: v.string(), rules: v.array(v.object({ alert: v.string(), expr: v.string(), annotations: v.object({ summary: v.string() }) })) }),
  ),
});
const dashboardSchema = v.object({
  panels: v.array(v.object({ id: v.number(), title: v.string(), targets: v.array(v.object({ expr: v.string() })) })),
  templating: v.object({ list: v.array(v.object({ name: v.string(), definition: v.optional(v.string()) })) }),
});

export const alerts = () => v.parse(rulesSchema, parse(readFileSync(join(folder, 'alerts.yaml'), 'utf8'))).groups.flatMap(({ rules }) => rules);
export const dashboard = () => v.parse(dashboardSchema, JSON.parse(readFileSync(join(folder, 'dashboard.json'), 'utf8')));

/** With Grafana's variables filled in. */
export const dashboardExpressions = (): readonly string[] =>
  dashboard().panels.flatMap(({ targets }) => targets.map(({ expr }) => expr.replaceAll(/\$(node|pool)\b/g, '.*')));

/** What is counted in an expression: names of our families, `_bucket` and the like left off. */
export const metricsIn = (expression: string): readonly string[] =>
  [...expression.matchAll(/\b((?:pool|gpu|node)_[a-z_]+)(?=[{[\s)]|$)/g)]
    .map(([, name = '']) => name.replace(/_(bucket|sum|count)$/, ''))
    .filter((name) => !['pool_id', 'node_id', 'gpu_uuid', 'gpu_index'].includes(name));
