import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LaunchInput } from '../../src/engines/adapter.ts';
import { sglang } from '../../src/engines/sglang.ts';
import { type Canned, type CannedEngine, cannedEngine } from '../kit/canned-engine.ts';
import { gib, gpuRun } from '../kit/gpu-facts.ts';
import { planned, refused, startOf, twoGpus } from '../kit/tensor-parallel-input.ts';

const input = startOf('sglang', '/opt/sglang/bin/sglang');
const line = (given: LaunchInput): string => planned(sglang.plan, given).argv.join(' ');
const needed = [
  '--model-path',
  '--served-model-name',
  '--host',
  '--port',
  '--max-running-requests',
  '--context-length',
  '--mem-fraction-static',
  '--device',
  '--base-gpu-id',
  '--tp-size',
];
const known = { engine: { executable: '/opt/sglang/bin/sglang', version: null, knownFlags: needed } };

describe('The command line of SGLang', () => {
  it('says everything that matters, with the fraction for weights and KV cache alone', () => {
    // 12 GiB granted, less 2 outside and 1 for activations, of 24.
    expect(line(input())).toBe(
      'serve --model-path /models/llama-8b --served-model-name llama-8b --host 127.0.0.1 --port 18080 --max-running-requests 4 --context-length 2048 ' +
        '--enable-metrics --mem-fraction-static 0.3750 --cpu-offload-gb 0 --device cuda --base-gpu-id 0 --tp-size 1',
    );
  });

  it('splits over all GPUs of the pool', () => {
    const plan = planned(sglang.plan, input({}, { gpus: twoGpus }));
    expect(plan.argv.slice(-2)).toEqual(['--tp-size', '2']);
    expect(plan.env).toMatchObject({ CUDA_VISIBLE_DEVICES: 'GPU-aaa,GPU-bbb' });
  });

  it('has its GPUs meet at a side port', () => {
    expect(line(input({}, { sidePort: 18_081 }))).toContain('--port 18080 --nccl-port 18081');
    expect(line(input())).not.toContain('--nccl-port');
  });

  it('is patient with the first compilation of a kernel, unless the pool says otherwise', () => {
    expect(planned(sglang.plan, input()).env).toMatchObject({ SGLANG_HEALTH_CHECK_TIMEOUT: '120', HF_HUB_OFFLINE: '1' });
    expect(planned(sglang.plan, input({ env: { SGLANG_HEALTH_CHECK_TIMEOUT: '300' } })).env).toMatchObject({ SGLANG_HEALTH_CHECK_TIMEOUT: '300' });
  });

  it('is refused where its share cannot be computed', () => {
    expect(refused(sglang.plan, input({}, { vram: null }))?.code).toBe('driver_error');
    expect(refused(sglang.plan, input({}, { vram: null, model: { id: 'm', path: '/m', bytes: gib, shape: null } }))?.code).toBe('model_incompatible');
    expect(refused(sglang.plan, input({}, { vram: null, simulated: true }))).toBeNull();
  });

  it.each([
    [['--enable-hierarchical-cache'], 'stay in VRAM'],
    [['--enable_hierarchical_cache'], 'stay in VRAM'],
    [['--hicache-size', '30'], 'stay in VRAM'],
    [['--enable-memory-saver'], 'stay in VRAM'],
    [['--enable-weights-cpu-backup'], 'stay in VRAM'],
    [['--cpu-offload-gb', '4'], 'stay in VRAM'],
    [['--offload-mode', 'cpu'], 'stay in VRAM'],
    [['--enable-lmcache'], 'stay in VRAM'],
    [['--kt-num-gpu-experts', '4'], 'stay in VRAM'],
    [['--mem-fraction-static', '0.9'], 'VRAM that was granted'],
    [['--max-total-tokens', '100'], 'VRAM that was granted'],
    [['--trust-remote-code'], 'runs code'],
    [['--lora-paths', 'x'], 'adapters'],
    [['--disaggregation-mode', 'prefill'], 'another machine'],
    [['--nnodes', '2'], 'another machine'],
    [['--config', 'x'], 'files of this machine'],
    [['--skip-server-warmup'], 'warm'],
    [['--admin-api-key', 'x'], 'from the spec'],
    [['--enable-mem'], '--help names'],
  ])('is refused with %j in flags', (flags, why) => {
    expect(refused(sglang.plan, input({ flags }, known))).toMatchObject({ code: 'invalid_spec', message: expect.stringContaining(why) });
  });

  it.each(['SGL_FORCE_SHUTDOWN', 'SGLANG_HICACHE_NIXL_BACKEND_STORAGE_DIR', 'MOONCAKE_MASTER', 'PYTHONPATH', 'CUDA_VISIBLE_DEVICES'])(
    'is refused with %s in env',
    (name) => {
      expect(refused(sglang.plan, input({ env: { [name]: '1' } }))?.code).toBe('invalid_spec');
    },
  );

  it('may be told how to compute', () => {
    const flags = ['--attention-backend', 'fa3', '--kv-cache-dtype', 'fp8_e4m3', '--disable-custom-all-reduce'];
    const engine = { ...known.engine, knownFlags: [...needed, ...flags] };
    expect(planned(sglang.plan, input({ flags }, { engine })).argv.slice(-flags.length)).toEqual(flags);
  });
});

describe('What SGLang says of itself', () => {
  it('is its version, and the flags of the server', () => {
    expect(sglang.version?.parse('sglang version: 0.5.6.post2\ngit revision: 1a2b3c4\n')).toBe('0.5.6.post2');
    expect(
      sglang.help?.parseFlags(
        '  --tensor-parallel-size TENSOR_PARALLEL_SIZE, --tp-size TENSOR_PARALLEL_SIZE\n                        The tensor parallelism size.\n',
      ),
    ).toEqual(['--tensor-parallel-size', '--tp-size']);
  });
});

describe('An SGLang that is asked', () => {
  let engine: CannedEngine;
  beforeEach(async () => {
    engine = await cannedEngine({ engine: 'sglang', slots: 64 });
  });
  afterEach(() => engine.close());

  const info = JSON.stringify({
    model_path: '/m',
    internal_states: [{ last_gen_throughput: 0, effective_max_running_requests_per_dp: 52 }],
    version: '0.5.6',
  });
  const loads = (running: number, waiting: number, used: number): string =>
    JSON.stringify({
      timestamp: '2026-11-25T12:00:00',
      dp_rank_count: 1,
      loads: [{ dp_rank: 0, num_running_reqs: running, num_waiting_reqs: waiting, num_used_tokens: used }],
    });
  const well = (more: Canned = {}): Canned => ({
    '/ping': [200, ''],
    '/health': [200, ''],
    '/v1/loads': [200, loads(0, 0, 0)],
    '/server_info': [200, info],
    ...more,
  });

  it('loads: nobody listens, then 503, then it is well', async () => {
    expect(await engine.probe()).toMatchObject({ kind: 'failed', outcome: 'refused' });
    await engine.listen(well({ '/health': [503, ''] }));
    expect(await engine.probe()).toMatchObject({ kind: 'failed', cause: { message: expect.stringContaining('it still starts') } });
    expect(engine.asked()).toEqual(['GET /ping', 'GET /health']);
    await engine.listen(well());
    expect(await engine.probe()).toMatchObject({ kind: 'passed', load: { slotsTotal: 52, slotsFree: 52, inFlight: 0 } });
    expect(engine.asked()).toEqual(['GET /ping', 'GET /health', 'GET /v1/loads', 'GET /server_info']);
  });

  it('has as many slots as its memory allows, which may be fewer than it was asked for', async () => {
    await engine.listen(well({ '/v1/loads': [200, loads(50, 3, 100)] }));
    expect(await engine.probe()).toMatchObject({ load: { slotsTotal: 52, slotsFree: 0, inFlight: 53 } });
    await engine.listen(well({ '/server_info': [200, '{"internal_states":[]}'] }));
    expect(await engine.probe()).toMatchObject({ load: { slotsTotal: 64 } });
  });

  it('of an older version has other names for the same', async () => {
    await engine.listen({
      '/ping': [200, ''],
      '/health': [200, ''],
      '/get_load': [200, '[{"rid":null,"dp_rank":0,"num_reqs":5,"num_waiting_reqs":2,"num_tokens":700}]'],
      '/get_server_info': [200, info],
    });
    expect(await engine.probe()).toMatchObject({ kind: 'passed', load: { slotsTotal: 52, slotsFree: 47, inFlight: 5 } });
    expect(engine.asked()).toEqual(['GET /ping', 'GET /health', 'GET /v1/loads', 'GET /get_load', 'GET /server_info', 'GET /get_server_info']);
  });

  it('moves as its cache fills, and stands still when nothing does', async () => {
    const movement = async (used: number): Promise<unknown> => {
      await engine.listen(well({ '/v1/loads': [200, loads(1, 0, used)] }));
      const probe = await engine.probe();
      return probe.kind === 'passed' ? probe.movement : null;
    };
    const first = await movement(10);
    expect(first).not.toBeNull();
    expect(await movement(10)).toBe(first);
    expect(await movement(11)).not.toBe(first);
  });

  it('that does not tell its requests is not believed to be idle', async () => {
    await engine.listen(well({ '/v1/loads': [404, ''] }));
    expect(await engine.probe(true)).toMatchObject({ kind: 'failed', cause: { message: expect.stringContaining('/get_load') } });
    await engine.listen(well({ '/v1/loads': [200, '{"loads":[]}'] }));
    expect(await engine.probe(true)).toMatchObject({ kind: 'failed' });
  });
});

describe('Where SGLang says its memory is', () => {
  const log = [
    '[2026-11-25 12:00:01 TP0] Load weight end. type=LlamaForCausalLM, dtype=torch.bfloat16, avail mem=63.40 GB, mem usage=15.06 GB.',
    '[2026-11-25 12:00:02 TP0] KV Cache is allocated. #tokens: 34496, K size: 2.10 GB, V size: 2.10 GB',
  ];
  const verdict = (bytes: number, lines: readonly string[], gpus = 1) =>
    sglang.residency(lines, gpuRun({ model: { id: 'm', path: '/m', bytes }, gpus: twoGpus.slice(0, gpus) })).verdict;

  it('is proven by nearly all weights and a KV cache, violated by a cache in host memory, else unproven', () => {
    expect(verdict(15 * gib, log)).toBe('proven');
    expect(verdict(30 * gib, log, 2)).toBe('proven');
    expect(verdict(30 * gib, log)).toBe('unproven');
    expect(verdict(15 * gib, log.slice(1))).toBe('unproven');
    expect(verdict(15 * gib, log.slice(0, 1))).toBe('unproven');
    expect(verdict(15 * gib, [...log, '[TP0] Allocating 30.00 GB host memory for hierarchical KV cache.'])).toBe('violated');
  });
});
