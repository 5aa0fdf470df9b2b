/** A daemon whose event loop stood still says so to whoever asks whether it is ready, for a while. */
import { expect, it } from 'vitest';
import { daemonHouse, patient } from '../kit/daemon.ts';
import { asking } from '../kit/daemon-api.ts';
import { preloaded } from '../kit/preload.ts';

it('a node whose event loop stood still for more than a second is not ready, says why, and is ready again (row 90)', patient, async (t) => {
  const house = await daemonHouse(t, preloaded('blocks-loop'));
  await house.declare([house.stub('pool-0')]);
  const daemon = await house.start();
  await daemon.ready('pool-0');
  await asking('the start to be over', async () => (await daemon.ask('GET', '/ready')).status === 200);

  daemon.signal('SIGUSR2');
  const after = await asking('it to tell', async () => {
    const answer = await daemon.ask('GET', '/ready');
    return answer.status === 503 ? answer : null;
  });
  expect(after.body).toMatchObject({ code: 'POOL_UNAVAILABLE', reasons: [expect.stringMatching(/^its event loop stood still for \d{4} ms/)] });
  await asking('it to be ready again', async () => (await daemon.ask('GET', '/ready')).status === 200);
  expect(await daemon.pool('pool-0')).toMatchObject({ ready: true, restarts: 0 });
});
