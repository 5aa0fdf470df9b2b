/** What is said to orchestratord: names and numbers as its protocol requires them, unknown made plain at this one rim. */
import { describe, expect, it } from 'vitest';
import { createRemovedPools } from '../../src/orchestrator/removed-pools.ts';
import { heartbeatBody, type Identity, registrationBody } from '../../src/orchestrator/wire.ts';
import { gpuView, nodeView, poolStatus } from '../kit/views.ts';

const identity: Identity = { nodeId: 'gpu-node-1', machineId: 'machine-1', address: 'http://gpu-node-1:9200', version: '0.1.0' };
const at = Date.parse('2026-01-01T00:00:03.500Z');
const beat = (own: Parameters<typeof poolStatus>[0]) => heartbeatBody([poolStatus(own)], [], 1, at).pools[0];

describe('a registration', () => {
  it('carries the documented fields', () => {
    expect(registrationBody(nodeView(), [gpuView()], [poolStatus()], identity)).toEqual({
      node_id: 'gpu-node-1',
      machine_id: 'machine-1',
      address: 'http://gpu-node-1:9200',
      pools: ['pool-0'],
      capabilities: {
        gpus: [{ device_id: 0, name: 'NVIDIA GeForce RTX 3090', vram_total_bytes: 24_000_000_000, compute_capability: '8.6' }],
        cpu_cores: 16,
        ram_total_bytes: 64_000_000_000,
      },
      version: '0.1.0',
    });
  });

  it('leaves out a GPU whose memory is unknown and says unknown for a capability, so that no GPU makes it a 422', () => {
    const gpus = [gpuView({ memory_total_bytes: null }), gpuView({ index: 1, compute_capability: null }), gpuView({ index: 2, name: '' })];
    expect(registrationBody(nodeView(), gpus, [], identity).capabilities.gpus).toEqual([
      { device_id: 1, name: 'NVIDIA GeForce RTX 3090', vram_total_bytes: 24_000_000_000, compute_capability: 'unknown' },
      { device_id: 2, name: 'unknown', vram_total_bytes: 24_000_000_000, compute_capability: '8.6' },
    ]);
  });
});

describe('a heartbeat', () => {
  it('carries the documented fields, ours besides, and how long ago the engine was last asked', () => {
    expect(heartbeatBody([poolStatus()], [], 42, at)).toEqual({
      timestamp: '2026-01-01T00:00:03.500Z',
      pools: [
        {
          pool_id: 'pool-0',
          ready: true,
          draining: false,
          slots_free: 3,
          slots_total: 4,
          vram_free_bytes: 16_000_000_000,
          engine: 'llamacpp',
          vram_total_bytes: 24_000_000_000,
          models_available: ['tiny'],
          state: 'ready',
          incarnation: 'abc',
          last_probe_age_ms: 2_500,
          sequence: 42,
        },
      ],
    });
  });

  it('says 0 for what is unknown, and no free slot for a ready pool whose slots are unknown', () => {
    expect(beat({ slots_free: null })).toMatchObject({ ready: true, slots_free: 0, slots_total: 4 });
    expect(beat({ slots_total: null })).toMatchObject({ ready: true, slots_free: 0, slots_total: 0 });
    expect(beat({ vram_free_bytes: null, vram_total_bytes: null })).toMatchObject({ ready: true, vram_free_bytes: 0, vram_total_bytes: null });
    expect(beat({ last_probe_at: null })).toMatchObject({ last_probe_age_ms: null });
  });

  it('never says more free than total, a fraction, or a negative number', () => {
    expect(beat({ slots_free: 9 })).toMatchObject({ slots_free: 4 });
    expect(beat({ vram_free_bytes: -1 })).toMatchObject({ vram_free_bytes: 0 });
    expect(beat({ vram_free_bytes: 1.5 })).toMatchObject({ vram_free_bytes: 0 });
  });

  it('offers no slots of a pool that is not ready', () => {
    expect(beat({ ready: false, draining: true, state: 'draining' })).toMatchObject({ ready: false, draining: true, slots_free: 0, slots_total: 4 });
  });

  it('reports a removed pool as not ready until that was acknowledged', () => {
    const removedPools = createRemovedPools();
    const [kept, gone] = [poolStatus(), poolStatus({ pool_id: 'pool-1', engine: 'vllm' })];
    removedPools.sent([kept, gone]);
    expect(removedPools.missingFrom([kept, gone])).toEqual([]);
    const missing = removedPools.missingFrom([kept]);
    expect(heartbeatBody([kept], missing, 1, at).pools[1]).toMatchObject({
      pool_id: 'pool-1',
      ready: false,
      slots_free: 0,
      slots_total: 0,
      vram_free_bytes: 0,
      engine: 'vllm',
    });
    expect(removedPools.missingFrom([kept]), 'nobody has taken note yet').toEqual(missing);
    removedPools.acknowledged(missing);
    expect(removedPools.missingFrom([kept])).toEqual([]);
  });
});
