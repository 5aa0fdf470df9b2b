/** Engines that all stop answering at once: the host is suspected, and no pool goes at the first round of failures. */
import { expect, it } from 'vitest';
import { daemonHouse, patient } from '../kit/daemon.ts';
import { asking } from '../kit/daemon-api.ts';

const ids = ['pool-0', 'pool-1', 'pool-2', 'pool-3'];
const health = { interval_ms: 200, timeout_ms: 1_500, progress_timeout_ms: 1_500, failures: 3 };

it('pools that all fail the same probe at once are kept for one more, and the host is named (row 55)', patient, async (t) => {
  const house = await daemonHouse(t);
  await house.declare(ids.map((id, index) => house.stub(id, { devices: [index % 2], health })));
  const daemon = await house.start();
  await daemon.ready(...ids);
  const engines = ids.map((id) => house.run(id)?.pid ?? 0);

  for (const pid of engines) process.kill(pid, 'SIGSTOP');
  const node = await asking('the host to be suspected', async () => {
    const { degraded } = await daemon.node();
    return degraded.find((one) => one.startsWith('host_suspected'));
  });
  expect(node).toContain('pool-');
  const failed = (id: string): Promise<number | null> => daemon.metric(new RegExp(`^pool_health_checks_total\\{.*${id}.*timeout`));
  await Promise.all(ids.map((id) => asking(`${id} to fail as often as its threshold`, async () => ((await failed(id)) ?? 0) >= health.failures)));
  for (const pid of engines) process.kill(pid, 'SIGCONT');

  await asking('the host to be cleared', async () => !(await daemon.node()).degraded.some((one) => one.startsWith('host_suspected')));
  for (const pool of await daemon.ready(...ids)) {
    expect(pool).toMatchObject({ restarts: 0, degraded: [], last_error: null });
    const left = (await daemon.events(pool.pool_id)).filter(({ from, to }) => from.startsWith('ready') && !to.startsWith('ready'));
    expect(left, pool.pool_id).toEqual([]);
  }
});
