/** An order that was answered 202 is kept: a daemon killed in that very moment does not take it back. */
import { expect, it } from 'vitest';
import { daemonHouse, patient } from '../kit/daemon.ts';

const rounds = 5;

it('an accepted order outlives a daemon that is killed as soon as it answered (row 26)', patient, async (t) => {
  const house = await daemonHouse(t);
  await house.declare([house.stub('pool-0', { preload: false, env: { STUB_LOAD_MS: '3600000' } })]);
  for (let round = 0; round < rounds; round += 1) {
    const daemon = await house.start();
    const wanted = round % 2 === 0 ? 'up' : 'down';
    expect((await daemon.ask('POST', `/v2/pools/pool-0/${wanted === 'up' ? 'preload' : 'drain'}`)).status).toBe(202);
    await daemon.end('SIGKILL');
    const next = await house.start();
    expect(await next.pool('pool-0'), `round ${round}`).toMatchObject({ wanted });
    await next.end('SIGKILL');
  }
});
