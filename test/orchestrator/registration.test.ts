/** The registration chart with its real calls against the control plane's stand-in, in real time. */
import { afterEach, describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import { deregisterNode } from '../../src/actors/deregister-node.ts';
import { type RegistrationDeps, registerNode } from '../../src/actors/register-node.ts';
import { sendHeartbeat } from '../../src/actors/send-heartbeat.ts';
import { stamp } from '../../src/clock.ts';
import type { RegistrationEvent } from '../../src/machines/events.ts';
import { registrationMachine } from '../../src/machines/registration/machine.ts';
import { registrationView } from '../../src/machines/registration/view.ts';
import type { PoolStatus } from '../../src/machines/views.ts';
import { createRemovedPools } from '../../src/orchestrator/removed-pools.ts';
import { type OrchestratorStandIn, startOrchestratorStandIn } from '../kit/orchestrator.ts';
import { until } from '../kit/until.ts';
import { gpuView, nodeView, poolStatus } from '../kit/views.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const setUp = async (options: Parameters<typeof startOrchestratorStandIn>[0] = {}, token: string | null = null) => {
  const plane = await startOrchestratorStandIn(options);
  cleanups.push(plane.close);
  let pools: readonly PoolStatus[] = [poolStatus()];
  const deps: RegistrationDeps = {
    orchestrator: { url: plane.url, token: () => token, allowInsecure: false },
    identity: { nodeId: 'gpu-node-1', machineId: 'machine-1', address: 'http://gpu-node-1:9200', version: '0.1.0' },
    views: { node: () => nodeView(), pools: () => pools, gpus: () => [gpuView()] },
    removedPools: createRemovedPools(),
  };
  const machine = registrationMachine.provide({
    actors: { registerNode: registerNode(deps), sendHeartbeat: sendHeartbeat(deps), deregisterNode: deregisterNode(deps) },
  });
  const input = { enabled: true, orchestratorUrl: plane.url, registerOnStartup: true, heartbeatIntervalMs: 10_000, nodeId: 'gpu-node-1' };
  const actor = createActor(machine, { input }).start();
  cleanups.push(() => actor.stop());
  return {
    plane,
    view: () => registrationView(actor.getSnapshot()),
    send: (type: RegistrationEvent['type']) => actor.send({ type, ...stamp() }),
    become: (next: readonly PoolStatus[]) => {
      pools = next;
    },
  };
};

const node = (plane: OrchestratorStandIn) => plane.node('gpu-node-1');
const firstBeat = (plane: OrchestratorStandIn) => until('the first heartbeat', () => node(plane)?.lastHeartbeat);

describe('a node and its control plane', () => {
  it('registers, reports readiness, and tells a change of it within 500 ms', async () => {
    const { plane, send, become } = await setUp();
    await firstBeat(plane);
    expect(node(plane)).toMatchObject({ online: true, registration: { pools: ['pool-0'] }, pools: { 'pool-0': { ready: true, slots_free: 3 } } });
    become([poolStatus({ ready: false, draining: true, state: 'draining' })]);
    const changed = performance.now();
    send('readiness.changed');
    await until('the change to be known', () => node(plane)?.pools['pool-0']?.draining);
    expect(performance.now() - changed).toBeLessThan(500);
  });

  it('makes a burst of 200 changes into a few heartbeats, and the last one is known', async () => {
    const { plane, send, become } = await setUp();
    await firstBeat(plane);
    const before = plane.requests().length;
    for (let free = 0; free < 200; free += 1) {
      become([poolStatus({ slots_free: free % 4 })]);
      send('readiness.changed');
    }
    become([poolStatus({ slots_free: 2 })]);
    send('readiness.changed');
    await until('the last change to be known', () => node(plane)?.pools['pool-0']?.slots_free === 2);
    expect(plane.requests().length - before).toBeLessThanOrEqual(3);
  });

  it('registers again as soon as it was forgotten', async () => {
    const { plane, send } = await setUp();
    await firstBeat(plane);
    plane.forget();
    send('readiness.changed');
    await until('the node to be back', () => node(plane)?.online);
  });

  it('comes back by itself after the control plane was away', async () => {
    const { plane, send, view } = await setUp();
    await firstBeat(plane);
    await plane.down();
    send('readiness.changed');
    await until('the absence to be noticed', () => view().state === 'backingOff');
    expect(view().last_error).toContain('connection refused');
    const beats = node(plane)?.heartbeats ?? 0;
    await plane.up();
    await until('the next heartbeat', () => (node(plane)?.heartbeats ?? 0) > beats);
    await until('the answer', () => view().attempt === 0);
    expect(view()).toMatchObject({ state: 'registered', last_error: null });
  });

  it('says of a removed pool that it is not ready, until that was heard', async () => {
    const { plane, send, become } = await setUp();
    await firstBeat(plane);
    become([]);
    plane.fail({ kind: 'status', status: 500 }, 1);
    send('readiness.changed');
    await until('the removed pool to be reported', () => node(plane)?.pools['pool-0']?.ready === false, 8_000);
    send('node.heartbeat');
    await until('a heartbeat without it', () => node(plane)?.lastHeartbeat?.pools.length === 0);
  });

  it('says why it is rejected, without the token', async () => {
    const { view } = await setUp({ token: 'the-right-one' }, 'a-wrong-one');
    await until('the rejection', () => view().state === 'rejected');
    expect(view().last_error).toContain('LLORCH_API_TOKEN');
    expect(view().last_error).not.toContain('a-wrong-one');
  });

  it('says good-bye', async () => {
    const { plane, send, view } = await setUp();
    await firstBeat(plane);
    send('node.deregister');
    await until('the node to be gone', () => node(plane) === null);
    await until('the end', () => view().state === 'ended');
  });
});
