/** A bug that nobody caught ends the daemon, not its engines. */
import { expect, it } from 'vitest';
import { daemonHouse, patient } from '../kit/daemon.ts';
import { foldJournal } from '../kit/fold-journal.ts';
import { preloaded } from '../kit/preload.ts';

it('an unhandled rejection is logged and exits with 70; engines live on and the next daemon has them at once (row 88)', patient, async (t) => {
  const house = await daemonHouse(t);
  await house.declare([house.stub('pool-0'), house.stub('pool-1', { devices: [1] })]);
  const broken = await house.start(preloaded('rejects'));
  await broken.ready('pool-0', 'pool-1');
  const runs = [house.run('pool-0'), house.run('pool-1')];

  broken.signal('SIGUSR2');
  expect(await broken.ended).toMatchObject({ code: 70, signal: null });
  expect(broken.log().at(-1)).toMatchObject({ msg: expect.stringContaining('unhandledRejection'), stack: expect.stringContaining('nobody caught') });
  expect([...house.left()].sort()).toEqual(runs.map((run) => run?.pid).sort());
  expect(foldJournal(house.stateDir)).toMatchObject({ divergence: null, passedOver: 0 });

  const next = await house.start();
  for (const pool of await next.ready('pool-0', 'pool-1')) expect(pool).toMatchObject({ restarts: 0 });
  expect([house.run('pool-0'), house.run('pool-1')]).toEqual(runs);
});
