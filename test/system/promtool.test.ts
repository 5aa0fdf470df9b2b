/** Alert rules, dashboard and what the daemon exposes, by Prometheus' own judgement; skipped without promtool. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { daemonHouse } from '../kit/daemon.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { dashboardExpressions, folder } from '../kit/prometheus-files.ts';

const promtool = ['/opt/promtool/promtool', '/usr/bin/promtool'].find((path) => existsSync(path)) ?? null;
const run = (argv: readonly string[], input?: string) => {
  const { status, stdout, stderr } = spawnSync(promtool ?? '', argv, { encoding: 'utf8', ...(input !== undefined && { input }) });
  return { status, said: `${stdout}${stderr}` };
};

describe.skipIf(promtool === null)('promtool (needs it)', () => {
  it('accepts the alert rules', () => {
    const { status, said } = run(['check', 'rules', join(folder, 'alerts.yaml')]);
    expect(status, said).toBe(0);
    expect(said).toMatch(/SUCCESS: \d+ rules found/);
  });

  it('sees them fire when they should, and not otherwise', async () => {
    const file = join(await temporaryDir(), 'tests.yaml');
    await writeFile(file, ruleTests);
    const { status, said } = run(['test', 'rules', file]);
    expect(status, said).toBe(0);
  });

  it('accepts every expression of the dashboard', async () => {
    const file = join(await temporaryDir(), 'rules.yaml');
    const rules = dashboardExpressions().map((expr, index) => ({ record: `dashboard:panel:${index}`, expr }));
    await writeFile(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
    const { status, said } = run(['check', 'rules', file]);
    expect(status, said).toBe(0);
  });

  it('accepts what a daemon with pools exposes, but for the one name that is fixed', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([house.stub('pool-0'), house.stub('pool-1', { devices: [1] })]);
    const daemon = await house.start();
    await daemon.ready('pool-0', 'pool-1');
    const text = await (await fetch(`${daemon.url}/metrics`)).text();
    expect(text).toMatch(/^pool_wanted\{.*pool_id="pool-0".*\} 1$/m);
    const { said } = run(['check', 'metrics'], text);
    const complaints = said
      .split('\n')
      .filter((line) => line !== '' && !/^pool_slots_total non-counter metrics should not have "_total" suffix/.test(line));
    expect(complaints).toEqual([]);
  });
});

const ruleTests = `
rule_files: [${join(folder, 'alerts.yaml')}]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - { series: 'pool_wanted{node_id="n",pool_id="down"}', values: '1x30' }
      - { series: 'pool_ready{node_id="n",pool_id="down"}', values: '0x30' }
      - { series: 'pool_reason{node_id="n",pool_id="down",code="model_missing",retried="false"}', values: '_x4 1x26' }
      - { series: 'pool_reason{node_id="n",pool_id="drained",code="operator",retried="false"}', values: '1x30' }
      - { series: 'pool_wanted{node_id="n",pool_id="drained"}', values: '0x30' }
      - { series: 'pool_ready{node_id="n",pool_id="drained"}', values: '0x30' }
      - { series: 'pool_wanted{node_id="n",pool_id="up"}', values: '1x30' }
      - { series: 'pool_ready{node_id="n",pool_id="up"}', values: '1x30' }
      - { series: 'pool_slots_free{node_id="n",pool_id="up"}', values: '1x30' }
      - { series: 'pool_restarts_total{node_id="n",pool_id="down",reason="engine_exited"}', values: '0 1 2 3 4x26' }
      - { series: 'node_registration_state{node_id="n",state="rejected"}', values: '1x30' }
      - { series: 'node_registration_state{node_id="n",state="registered"}', values: '0x30' }
    alert_rule_test:
      - eval_time: 10m
        alertname: PoolWantedNotReady
        exp_alerts: []
      - eval_time: 20m
        alertname: PoolWantedNotReady
        exp_alerts:
          - exp_labels: { severity: critical, node_id: n, pool_id: down }
            exp_annotations:
              summary: pool down on n is wanted and has not been ready for 15 minutes
              description: pool-managerd status down names the reason. Loading a very large model may take as long.
      - eval_time: 3m
        alertname: PoolFailed
        exp_alerts: []
      - eval_time: 7m
        alertname: PoolFailed
        exp_alerts:
          - exp_labels: { severity: critical, node_id: n, pool_id: down }
            exp_annotations:
              summary: pool down on n is wanted, has failed and is not tried again by itself
              description: pool-managerd pool down names the reason and what to do; then pool-managerd start down
      - eval_time: 20m
        alertname: PoolRestarting
        exp_alerts:
          - exp_labels: { severity: warning, node_id: n, pool_id: down }
            exp_annotations:
              summary: pool down on n has failed three times or more in half an hour
              description: 'pool-managerd events down, and the last words of its engine: pool-managerd logs down --previous'
      - eval_time: 20m
        alertname: PoolWithoutFreeSlots
        exp_alerts: []
      - eval_time: 20m
        alertname: NodeNotRegistered
        exp_alerts:
          - exp_labels: { severity: critical, node_id: n, state: rejected }
            exp_annotations:
              summary: n is rejected at orchestratord; its engines get no requests
`;
