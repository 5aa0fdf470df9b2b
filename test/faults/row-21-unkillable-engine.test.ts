/** An engine in a driver call that never returns: nobody can end it, and nobody but its own pool is held up by it. */
import { expect, it } from 'vitest';
import { type Daemon, daemonHouse, patient } from '../kit/daemon.ts';
import { mayFreeze, openFreezer } from '../kit/freezer.ts';

const asks = 300;

/** Milliseconds that half of the answers about the other pool took at most. */
const latency = async (daemon: Daemon): Promise<number> => {
  const took: number[] = [];
  for (let index = 0; index < asks; index += 1) {
    const begun = performance.now();
    await (await fetch(`${daemon.url}/v2/pools/pool-1/status`)).text();
    took.push(performance.now() - begun);
  }
  return took.sort((one, other) => one - other)[asks / 2] ?? Number.NaN;
};

it.skipIf(!mayFreeze)(
  'that cannot be killed is told as such, its GPU is quarantined, others serve as before, and it is started again once it is gone (row 21; needs root and the freezer of cgroup v1)',
  patient,
  async (t) => {
    const house = await daemonHouse(t);
    const freezer = openFreezer('engine');
    t.onTestFinished(freezer.end);
    await house.declare([house.stub('pool-0', { timeouts: { stop_ms: 500 } }), house.stub('pool-1', { devices: [1] })]);
    const daemon = await house.start();
    await daemon.ready('pool-0', 'pool-1');
    const other = house.run('pool-1');
    const before = await latency(daemon);

    freezer.freeze(house.run('pool-0')?.pid ?? 0);
    await daemon.ask('POST', '/v2/pools/pool-0/drain', { deadline_ms: 0 });
    await daemon.sees('pool-0', 'stuck', ({ substate, reason }) => substate.startsWith('stuck') && reason?.code === 'unkillable');
    const during = await latency(daemon);
    console.log(`an answer about another pool: ${before.toFixed(2)} ms before, ${during.toFixed(2)} ms while an engine cannot be killed`);
    expect(during / before).toBeLessThan(1.5);
    expect((await daemon.gpus()).map(({ quarantine }) => quarantine?.pool_id ?? null)).toEqual(['pool-0', null]);
    expect(await daemon.pool('pool-1')).toMatchObject({ ready: true, restarts: 0 });

    freezer.thaw();
    await daemon.sees('pool-0', 'stopped', ({ substate }) => substate === 'stopped');
    await daemon.ask('POST', '/v2/pools/pool-0/preload');
    await daemon.ready('pool-0');
    expect(house.run('pool-1')).toEqual(other);
  },
);
