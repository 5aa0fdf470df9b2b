/** A daemon that slept, with its machine or alone, judges nobody by the time that it missed. */
import { expect, it } from 'vitest';
import { daemonHouse, patient } from '../kit/daemon.ts';
import { until } from '../kit/until.ts';

/** Longer than every deadline of a probe, shorter than a test may take. */
const sleepMs = 4_000;

it('no pool leaves ready because the daemon slept (row 94)', patient, async (t) => {
  const house = await daemonHouse(t);
  await house.declare([house.stub('pool-0'), house.stub('pool-1', { devices: [1] })]);
  const daemon = await house.start();
  await daemon.ready('pool-0', 'pool-1');
  const before = await daemon.events('pool-0');

  const begun = performance.now();
  daemon.signal('SIGSTOP');
  await until('the sleep to be over', () => performance.now() - begun > sleepMs, 2 * sleepMs);
  daemon.signal('SIGCONT');
  const awake = Date.now();
  await daemon.sees('pool-0', 'probed again', ({ last_probe_at }) => Date.parse(last_probe_at ?? '') > awake);
  await daemon.sees('pool-1', 'probed again', ({ last_probe_at }) => Date.parse(last_probe_at ?? '') > awake);
  for (const pool of await daemon.pools()) expect(pool).toMatchObject({ ready: true, restarts: 0, last_error: null });
  expect((await daemon.events('pool-0')).filter(({ to }) => !to.startsWith('ready')).length).toBe(
    before.filter(({ to }) => !to.startsWith('ready')).length,
  );
});
