/** The node and its control plane, over real HTTP: what it hears, when, and that its failings are its own. */
import { describe, expect, it, type TestContext } from 'vitest';
import { type StandInFault, type StandInOptions, startOrchestratorStandIn } from '../../src/demo/orchestrator-stand-in.ts';
import { stream } from '../kit/completions.ts';
import { daemonHouse, patient } from '../kit/daemon.ts';
import { asking } from '../kit/daemon-api.ts';
import { foldJournal } from '../kit/fold-journal.ts';

const nodeUnder = async (t: TestContext, options: StandInOptions = {}) => {
  const orchestrator = await startOrchestratorStandIn(options);
  t.onTestFinished(orchestrator.close);
  const house = await daemonHouse(t, { ORCHESTRATORD_URL: orchestrator.url });
  return { orchestrator, house, heard: () => orchestrator.node('node-0') };
};

describe.concurrent('orchestratord', patient, () => {
  it('hears of the node, its cards and its pools, then of every change at once, and of a roster that changed', async (t) => {
    const { orchestrator, house, heard } = await nodeUnder(t, { nextHeartbeatMs: 60_000 });
    await house.declare([house.stub('pool-0', { devices: [1] })]);
    const daemon = await house.start();
    await daemon.ready('pool-0');
    await asking('a heartbeat that says ready', () => heard()?.pools['pool-0']?.ready);
    expect(heard()?.registration).toMatchObject({
      node_id: 'node-0',
      machine_id: 'node-0',
      address: daemon.url,
      pools: ['pool-0'],
      capabilities: {
        gpus: [
          {
            device_id: 0,
            vram_total_bytes: 24 * 1024 ** 3,
            name: expect.stringContaining('Simulated'),
            compute_capability: expect.stringMatching(/^\d\.\d$/),
          },
          { device_id: 1, vram_total_bytes: 24 * 1024 ** 3 },
        ],
        cpu_cores: expect.any(Number),
        ram_total_bytes: expect.any(Number),
      },
    });
    expect(heard()?.pools['pool-0']).toMatchObject({ draining: false, slots_free: 2, slots_total: 2, engine: 'llamacpp', state: 'ready' });
    expect((await daemon.node()).registration).toMatchObject({ state: 'registered', last_error: null, heartbeat_interval_ms: 20_000 });

    const requests = [stream(house.run('pool-0')?.endpoint ?? '', 60), stream(house.run('pool-0')?.endpoint ?? '', 60)];
    await asking('a heartbeat that says full', () => heard()?.pools['pool-0']?.slots_free === 0);
    await Promise.all(requests.map(({ done }) => done));
    await asking('a heartbeat that says free again', () => (heard()?.pools['pool-0']?.slots_free ?? 0) > 0);
    await daemon.ask('POST', '/v2/pools', house.stub('pool-1', { preload: false }));
    await asking('a registration with both', () => heard()?.registration.pools.join() === 'pool-0,pool-1');
    expect((await daemon.ask('POST', '/v2/nodes/node-0/heartbeat')).body).toMatchObject({ success: true });
    expect((await daemon.ask('POST', '/v2/nodes/somebody/heartbeat')).body).toMatchObject({ code: 'NODE_NOT_FOUND' });
    orchestrator.forget();
    await daemon.ask('POST', '/v2/nodes/node-0/heartbeat');
    await asking('the node to have registered again', () => heard() !== null);
    await daemon.end();
    expect(heard()).not.toBeNull();
    expect(foldJournal(house.stateDir)).toMatchObject({ divergence: null, passedOver: 0 });
  });

  it('may be down, slow, broken or lying: engines serve on, and the node registers again', async (t) => {
    const { orchestrator, house, heard } = await nodeUnder(t, { nextHeartbeatMs: 60_000 });
    await house.declare([house.stub('pool-0')]);
    await orchestrator.down();
    const daemon = await house.start();
    const [before] = await daemon.ready('pool-0');
    await asking('the node to back off', async () => (await daemon.node()).registration.state === 'backingOff');
    expect(await daemon.ask('POST', '/v2/nodes/register')).toMatchObject({ status: 502, body: { code: 'ORCHESTRATOR_UNREACHABLE' } });
    await orchestrator.up();
    expect(await daemon.ask('POST', '/v2/nodes/register')).toMatchObject({ status: 200, body: { success: true, node_id: 'node-0' } });

    const faults: readonly (readonly [StandInFault, RegExp])[] = [
      [{ kind: 'status', status: 503, body: '{"success":false,"message":"multi-node is not enabled"}' }, /multi-node is not enabled/],
      [{ kind: 'status', status: 401 }, /401|token/],
      [{ kind: 'status', status: 500, body: '<html>oops' }, /500/],
      [{ kind: 'lie', body: '{"success":false}' }, /success/],
      [{ kind: 'lie', body: 'yes' }, /JSON|yes/],
      [{ kind: 'cut' }, /./],
    ];
    for (const [fault, says] of faults) {
      orchestrator.fail(fault);
      const refused = await daemon.ask('POST', '/v2/nodes/register');
      expect(refused, JSON.stringify(fault)).toMatchObject({ status: 502, body: { code: 'ORCHESTRATOR_UNREACHABLE' } });
      expect(refused.body['message'], JSON.stringify(fault)).toMatch(says);
      expect((await daemon.node()).registration.state).not.toBe('registered');
      expect((await daemon.node()).registration.last_error, JSON.stringify(fault)).toMatch(says);
      orchestrator.fail(null);
      expect((await daemon.ask('POST', '/v2/nodes/register')).status, JSON.stringify(fault)).toBe(200);
    }
    orchestrator.fail({ kind: 'slow', ms: 700 });
    expect((await daemon.ask('POST', '/v2/nodes/node-0/heartbeat')).status).toBe(200);
    orchestrator.fail(null);
    orchestrator.forget();
    expect((await daemon.ask('POST', '/v2/nodes/node-0/heartbeat')).status).toBeLessThan(503);
    await asking('the node to have registered again', () => heard() !== null);
    expect(await daemon.pool('pool-0')).toMatchObject({ ready: true, since: before?.since, incarnation: before?.incarnation, restarts: 0 });
  });

  it('registers a node that comes back by itself, without being asked', async (t) => {
    const { orchestrator, house, heard } = await nodeUnder(t, { nextHeartbeatMs: 300 });
    await house.declare([]);
    const daemon = await house.start();
    await asking('the node to be registered', () => heard() !== null);
    orchestrator.forget();
    await asking('the node to be registered again', () => heard() !== null);
    await orchestrator.down();
    await asking('the node to back off', async () => (await daemon.node()).registration.state === 'backingOff');
    await orchestrator.up();
    await asking('the node to be registered', async () => (await daemon.node()).registration.state === 'registered', 20_000);
  });

  it('knows of a drain before the engine is told to end', async (t) => {
    const { orchestrator, house, heard } = await nodeUnder(t, { nextHeartbeatMs: 60_000 });
    await house.declare([house.stub('pool-0')]);
    const daemon = await house.start();
    await daemon.ready('pool-0');
    await asking('a heartbeat that says ready', () => heard()?.pools['pool-0']?.ready);
    let heardAt = 0;
    orchestrator.on('heartbeat', ({ pools }) => {
      if (pools['pool-0']?.draining) heardAt ||= Date.now();
    });
    const answerMs = 600;
    orchestrator.fail({ kind: 'slow', ms: answerMs });
    await daemon.ask('POST', '/v2/pools/pool-0/drain');
    await daemon.sees('pool-0', 'stopped', ({ substate }) => substate === 'stopped');
    const stopping = (await daemon.events('pool-0')).find(({ to }) => to === 'draining.stopping');
    expect(heardAt).toBeGreaterThan(0);
    expect(Date.parse(stopping?.at ?? '') - heardAt).toBeGreaterThanOrEqual(answerMs - 10);
    expect(heard()?.pools['pool-0']).toMatchObject({ ready: false });

    orchestrator.fail({ kind: 'hang' });
    await daemon.ask('POST', '/v2/pools/pool-0/preload');
    await daemon.ready('pool-0');
    const begun = performance.now();
    await daemon.ask('POST', '/v2/pools/pool-0/drain');
    await daemon.sees('pool-0', 'stopped although nobody answers', ({ substate }) => substate === 'stopped');
    expect(performance.now() - begun).toBeGreaterThan(1_900);
  });
});
