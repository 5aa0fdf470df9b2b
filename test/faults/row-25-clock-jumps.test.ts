/** Nothing the daemon waits for is measured by the wall clock: setting it two hours on or back is not noticed. */
import { expect, it } from 'vitest';
import { startOrchestratorStandIn } from '../../src/demo/orchestrator-stand-in.ts';
import { daemonHouse, patient } from '../kit/daemon.ts';
import { fakeClock, fakeClockIn } from '../kit/fake-clock.ts';
import { until } from '../kit/until.ts';

/** The shortest that a daemon lets itself be asked for. */
const heartbeatMs = 1_000;
/** Beats are spread, so that nodes do not beat as one. */
const spread = 0.2;
const beats = 5;
const hours = 3_600;

it('the wall clock is set two hours on and back: no transition, and heartbeats come as before (row 25)', patient, async (t) => {
  if (fakeClock === null) return t.skip('there is no libfaketime');
  const orchestrator = await startOrchestratorStandIn({ nextHeartbeatMs: heartbeatMs });
  t.onTestFinished(orchestrator.close);
  const house = await daemonHouse(t, { ORCHESTRATORD_URL: orchestrator.url });
  const clock = fakeClockIn(house.dir);
  await house.declare([house.stub('pool-0'), house.stub('pool-1', { devices: [1] })]);
  const daemon = await house.start(clock.env);
  await daemon.ready('pool-0', 'pool-1');
  const heard: number[] = [];
  orchestrator.on('heartbeat', () => heard.push(performance.now()));
  const beatsOn = async (): Promise<void> => {
    const from = heard.length;
    await until(`${beats} heartbeats`, () => heard.length > from + beats, 20_000);
    const gaps = heard.slice(from + 1).map((at, index) => at - (heard[from + index] ?? at));
    expect(Math.min(...gaps)).toBeGreaterThan(0.9 * (1 - spread) * heartbeatMs);
    expect(Math.max(...gaps)).toBeLessThan(1.1 * (1 + spread) * heartbeatMs);
  };
  const wallMs = async (): Promise<number> => Date.parse((await daemon.ask('GET', '/v2/pools/pool-0/status')).headers.get('date') ?? '');

  await beatsOn();
  const told = await daemon.follow();
  for (const seconds of [2 * hours, -2 * hours, 0]) {
    clock.set(seconds);
    await until('the daemon to see that clock', async () => Math.abs((await wallMs()) - Date.now() - seconds * 1_000) < 60_000);
    await beatsOn();
  }
  told.stop();
  expect(told.seen.filter(({ pool_id }) => pool_id !== null)).toEqual([]);
  for (const pool of await daemon.pools()) expect(pool).toMatchObject({ ready: true, restarts: 0, degraded: [] });
});
