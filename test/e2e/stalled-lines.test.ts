/** Lines that stall in the middle of an answer, and cut nothing: to the control plane, and to an engine. */
import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { startOrchestratorStandIn } from '../../src/demo/orchestrator-stand-in.ts';
import { daemonHouse, patient } from '../kit/daemon.ts';
import { asking } from '../kit/daemon-api.ts';
import { startStallingProxy } from '../kit/stalling-proxy.ts';

/** In the middle of the head of an answer. */
const midAnswer = 20;

describe.concurrent('a line that stalls', patient, () => {
  it('to orchestratord holds up nothing else: calls end by their deadline, one at a time, and the node is back once it flows', async (t) => {
    const orchestrator = await startOrchestratorStandIn({ nextHeartbeatMs: 1_000 });
    const line = await startStallingProxy(Number(new URL(orchestrator.url).port));
    t.onTestFinished(async () => {
      line.close();
      await orchestrator.close();
    });
    const house = await daemonHouse(t, { ORCHESTRATORD_URL: `http://127.0.0.1:${line.port}` });
    await house.declare([house.stub('pool-0')]);
    const daemon = await house.start();
    await daemon.ready('pool-0');
    await asking('the node to be registered', async () => (await daemon.node()).registration.state === 'registered');

    line.stall(midAnswer);
    const stalled = await asking('the node to back off', async () => {
      const { registration } = await daemon.node();
      return registration.state === 'backingOff' && registration;
    });
    expect(stalled.last_error).toMatch(/within \d+ ms|timed? ?out|deadline/i);
    expect(line.open()).toBeLessThanOrEqual(2);
    await daemon.ask('POST', '/v2/pools/pool-0/drain', { deadline_ms: 0 });
    await daemon.sees('pool-0', 'stopped although nobody was told', ({ substate }) => substate === 'stopped');

    line.flow();
    await asking('the node to be registered again', async () => (await daemon.node()).registration.state === 'registered');
  });

  it('to an engine takes it out of ready with the cause, kills nobody, and lets it back in once it flows', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([house.stub('pool-0')]);
    const daemon = await house.start();
    await daemon.ready('pool-0');
    const engine = house.run('pool-0');
    const line = await startStallingProxy(engine?.port ?? 0);
    t.onTestFinished(line.close);
    await writeFile(
      `${house.runtimeDir}/theirs-r0.json`,
      JSON.stringify({ pool_id: 'theirs', engine: 'llamacpp', endpoint: `http://127.0.0.1:${line.port}`, gpu_device: 1, slots: 2, ready: true }),
    );
    await asking('the pool to be known', async () => (await daemon.ask('GET', '/v2/pools/theirs/status')).status === 200);
    await daemon.ready('theirs');

    line.stall(midAnswer);
    expect(await daemon.sees('theirs', 'out of ready', ({ ready }) => !ready)).toMatchObject({ reason: { code: 'health_failed' } });
    expect(line.open()).toBeLessThanOrEqual(2);
    expect(await daemon.pool('pool-0')).toMatchObject({ ready: true, restarts: 0 });
    line.flow();
    await daemon.ready('theirs');
    expect(house.run('pool-0')).toEqual(engine);
  });
});
