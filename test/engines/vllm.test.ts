import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LaunchInput } from '../../src/engines/adapter.ts';
import { vllm } from '../../src/engines/vllm.ts';
import { type CannedEngine, cannedEngine } from '../kit/canned-engine.ts';
import { gib, gpuRun, gpuSpec } from '../kit/gpu-facts.ts';
import { planned, refused, startOf, twoGpus } from '../kit/tensor-parallel-input.ts';

const input = startOf('vllm', '/opt/vllm/bin/vllm');
const known = (knownFlags: readonly string[] | null, version: string | null = null) => ({
  engine: { executable: '/opt/vllm/bin/vllm', version, knownFlags },
});
const line = (given: LaunchInput): string => planned(vllm.plan, given).argv.join(' ');
const needed = ['--served-model-name', '--host', '--port', '--max-num-seqs', '--max-model-len', '--gpu-memory-utilization', '--tensor-parallel-size'];

describe('The command line of vLLM', () => {
  it('says everything that matters, with its fraction of the card from what was granted', () => {
    // 12 GiB granted, less 2 outside of its own reckoning, of 24.
    expect(line(input())).toBe(
      'serve /models/llama-8b --served-model-name llama-8b --host 127.0.0.1 --port 18080 --max-num-seqs 4 --max-model-len 2048 ' +
        '--shutdown-timeout 14 --disable-uvicorn-access-log --gpu-memory-utilization 0.4166 --cpu-offload-gb 0 --tensor-parallel-size 1',
    );
  });

  it('splits over all GPUs of the pool, by processes of this machine', () => {
    const plan = planned(vllm.plan, input({}, { gpus: twoGpus }));
    expect(plan.argv.join(' ')).toMatch(/--tensor-parallel-size 2 --distributed-executor-backend mp$/);
    expect(plan.env).toMatchObject({ CUDA_VISIBLE_DEVICES: 'GPU-aaa,GPU-bbb', CUDA_DEVICE_ORDER: 'PCI_BUS_ID' });
  });

  it.each([
    ['0.17.1', true],
    ['0.9.2', true],
    ['0.17.1rc2', true],
    ['0.17.2', false],
    ['0.18.0', false],
    ['1.0.0', false],
    [null, false],
  ] as const)('of version %s: --swap-space 0 is in it: %s', (version, passed) => {
    expect(line(input({}, known(null, version))).includes('--swap-space 0')).toBe(passed);
  });

  it('trusts what the engine says of its flags more than its version', () => {
    expect(line(input({}, known([...needed, '--swap-space'], '0.20.0')))).toMatch(/--swap-space 0/);
    expect(line(input({}, known(needed, '0.10.0')))).not.toMatch(/swap-space/);
  });

  it('notes the safeguards that this version does not know', () => {
    expect(planned(vllm.plan, input({}, known(needed))).notes).toEqual([
      expect.stringContaining('--shutdown-timeout'),
      expect.stringContaining('--disable-uvicorn-access-log'),
      expect.stringContaining('--cpu-offload-gb'),
    ]);
    expect(refused(vllm.plan, input({}, known(needed.filter((flag) => flag !== '--gpu-memory-utilization'))))).toMatchObject({
      code: 'engine_incompatible',
      details: { flag: '--gpu-memory-utilization' },
    });
  });

  it('names neither devices nor, where nothing is known, a fraction on simulated GPUs', () => {
    const plan = planned(vllm.plan, input({}, { simulated: true, vram: null }));
    expect(plan.argv.join(' ')).not.toMatch(/tensor-parallel|utilization/);
    expect(plan.env).not.toHaveProperty('CUDA_VISIBLE_DEVICES');
  });

  it("has an environment from zero: the engine's own programs first, no hub, no statistics", () => {
    const { env } = planned(vllm.plan, input({ env: { VLLM_ATTENTION_BACKEND: 'FLASHINFER' } }));
    expect(Object.keys(env).sort()).toEqual([
      'CUDA_DEVICE_ORDER',
      'CUDA_VISIBLE_DEVICES',
      'DO_NOT_TRACK',
      'HF_HUB_OFFLINE',
      'HOME',
      'LANG',
      'PATH',
      'TRANSFORMERS_OFFLINE',
      'VLLM_ATTENTION_BACKEND',
      'VLLM_NO_USAGE_STATS',
    ]);
    expect(env['PATH']).toMatch(/^\/opt\/vllm\/bin:/);
  });

  it('looks for ports of its own where it was given some, so that two that start at once never meet', () => {
    expect(planned(vllm.plan, input({}, { sidePort: 18_081 })).env['VLLM_PORT']).toBe('18081');
    expect(planned(vllm.plan, input()).env['VLLM_PORT']).toBeUndefined();
  });
});

describe('vLLM is refused', () => {
  it('where its share cannot be computed, since its own default takes most of the card', () => {
    const { model } = input();
    expect(refused(vllm.plan, input({}, { vram: null, model: { ...model, shape: null } }))).toMatchObject({
      code: 'model_incompatible',
      message: expect.stringContaining('share of the GPU cannot be computed'),
    });
    expect(refused(vllm.plan, input({}, { vram: null }))).toMatchObject({ code: 'driver_error' });
  });

  it('where nothing is left of what was granted', () => {
    const vram = { grantedBytes: gib, overheadBytes: 2 * gib, computeBytes: 0, totalBytes: 24 * gib };
    expect(refused(vllm.plan, input({}, { vram }))?.code).toBe('insufficient_vram');
  });

  it('without a model, with a path that reads as a flag, with uneven shares, with a key', () => {
    expect(refused(vllm.plan, input({}, { model: { id: 'x', path: null, bytes: null } }))?.code).toBe('model_missing');
    expect(refused(vllm.plan, input({}, { model: { id: 'x', path: '--config', bytes: null } }))?.code).toBe('invalid_spec');
    expect(refused(vllm.plan, input({ tensor_split: [0.75, 0.25] }, { gpus: twoGpus }))?.message).toMatch(/tensor_split: expected even shares/);
    expect(refused(vllm.plan, input({ tensor_split: [0.5, 0.5] }, { gpus: twoGpus }))).toBeNull();
    expect(refused(vllm.plan, input({ api_key_file: '/k' }))?.message).toMatch(/^api_key_file/);
  });

  it.each([
    [['--cpu-offload-gb', '4'], 'stay in VRAM'],
    [['--cpu_offload_gb', '4'], 'stay in VRAM'],
    [['--cpu-offload-gb=4'], 'stay in VRAM'],
    [['--cpu-off', '4'], 'stay in VRAM'],
    [['--enforce-e'], '--help names'],
    [['--swap-space', '4'], 'stay in VRAM'],
    [['--kv-transfer-config', '{}'], 'stay in VRAM'],
    [['--kv-offloading-size', '16'], 'stay in VRAM'],
    [['--offload-group-size', '2'], 'stay in VRAM'],
    [['--enable-sleep-mode'], 'stay in VRAM'],
    [['--gpu-memory-utilization', '0.95'], 'VRAM that was granted'],
    [['--kv-cache-memory-bytes', '1'], 'VRAM that was granted'],
    [['--trust-remote-code'], 'runs code'],
    [['--tool-parser-plugin', 'x.py'], 'runs code'],
    [['--enable-lora'], 'adapters'],
    [['--max-cpu-loras', '4'], 'adapters'],
    [['--config', 'x.yaml'], 'files of this machine'],
    [['-tp', '2'], '`devices`'],
    [['--data-parallel-size', '2'], 'another machine'],
    [['--disable-log-stats'], 'metrics'],
    [['--ssl-keyfile', 'k'], 'where the engine answers'],
    [['--hf-token', 'k'], 'credentials'],
  ])('with %j in flags', (flags, why) => {
    expect(refused(vllm.plan, input({ flags }, known([...needed, '--enforce-eager'])))).toMatchObject({
      code: 'invalid_spec',
      message: expect.stringContaining(why),
    });
  });

  it.each([
    'VLLM_ALLOW_RUNTIME_LORA_UPDATING',
    'VLLM_USE_SIMPLE_KV_OFFLOAD',
    'VLLM_KEEP_ALIVE_ON_ENGINE_DEATH',
    'LMCACHE_LOCAL_CPU',
    'CUDA_VISIBLE_DEVICES',
    'LD_PRELOAD',
    'HF_TOKEN',
  ])('with %s in env', (name) => {
    expect(refused(vllm.plan, input({ env: { [name]: '0' } }))).toMatchObject({ code: 'invalid_spec', message: expect.stringContaining(name) });
  });

  it('not with flags that change how it computes', () => {
    const flags = ['--enforce-eager', '--kv-cache-dtype', 'fp8', '--quantization', 'awq'];
    expect(planned(vllm.plan, input({ flags }, known([...needed, ...flags]))).argv.slice(-flags.length)).toEqual(flags);
  });
});

describe('What vLLM says of itself', () => {
  it('is its version, alone or behind warnings', () => {
    expect(vllm.version?.parse('INFO 11-25 12:00:00 [__init__.py:216] Automatically detected platform cuda.\n0.11.2\n')).toBe('0.11.2');
    expect(vllm.version?.parse('no version')).toBeNull();
  });

  it('is every spelling of its flags, not those that its prose speaks of', () => {
    const help = [
      'usage: vllm serve [model_tag] [options]',
      '                  [--not-an-option-line X]',
      'options:',
      '  -h, --help            show this help message and exit',
      'CacheConfig:',
      '  --gpu-memory-utilization GPU_MEMORY_UTILIZATION',
      '                        The fraction of GPU memory; see also',
      '                        --some-other-flag for more. (default: 0.9)',
      '  --enable-prefix-caching, --no-enable-prefix-caching',
      '  --tensor-parallel-size TENSOR_PARALLEL_SIZE, -tp TENSOR_PARALLEL_SIZE',
      '  --kv-cache-dtype {auto,bfloat16,fp8}',
    ].join('\n');
    expect(vllm.help?.parseFlags(help)).toEqual([
      '-h',
      '--help',
      '--gpu-memory-utilization',
      '--enable-prefix-caching',
      '--no-enable-prefix-caching',
      '--tensor-parallel-size',
      '-tp',
      '--kv-cache-dtype',
    ]);
  });
});

const metrics = (running: number, waiting: number, steps: number): string =>
  [
    '# HELP vllm:num_requests_running Number of requests in model execution batches.',
    '# TYPE vllm:num_requests_running gauge',
    `vllm:num_requests_running{engine="0",model_name="llama-8b"} ${running}.0`,
    `vllm:num_requests_waiting{engine="0",model_name="llama-8b"} ${waiting}.0`,
    'vllm:kv_cache_usage_perc{engine="0",model_name="llama-8b"} 0.01',
    `vllm:iteration_tokens_total_count{engine="0",model_name="llama-8b"} ${steps}.0`,
    `vllm:generation_tokens_total{engine="0",model_name="llama-8b"} ${steps * 3}.0`,
  ].join('\n');

describe('A vLLM that is asked', () => {
  let engine: CannedEngine;
  beforeEach(async () => {
    engine = await cannedEngine({ engine: 'vllm', slots: 4 });
  });
  afterEach(() => engine.close());

  it('loads: nobody listens; then it is well', async () => {
    expect(await engine.probe()).toMatchObject({ kind: 'failed', outcome: 'refused' });
    await engine.listen({ '/health': [200, ''], '/metrics': [200, metrics(0, 0, 1)] });
    expect(await engine.probe()).toMatchObject({ kind: 'passed', load: { slotsTotal: 4, slotsFree: 4, inFlight: 0 } });
    expect(engine.asked()).toEqual(['GET /health', 'GET /metrics']);
  });

  it('whose core is dead answers 503', async () => {
    await engine.listen({ '/health': [503, ''], '/metrics': [200, metrics(0, 0, 1)] });
    expect(await engine.probe()).toMatchObject({ kind: 'failed', outcome: 'error' });
  });

  it('counts what runs and what waits', async () => {
    await engine.listen({ '/health': [200, ''], '/metrics': [200, metrics(4, 2, 1)] });
    expect(await engine.probe(true)).toMatchObject({ kind: 'passed', load: { slotsTotal: 4, slotsFree: 0, inFlight: 6 } });
  });

  it('moves with every step, and stands still when it does', async () => {
    const movement = async (steps: number): Promise<unknown> => {
      await engine.listen({ '/health': [200, ''], '/metrics': [200, metrics(1, 0, steps)] });
      const probe = await engine.probe();
      return probe.kind === 'passed' ? probe.movement : null;
    };
    const first = await movement(7);
    expect(first).not.toBeNull();
    expect(await movement(7)).toBe(first);
    expect(await movement(8)).not.toBe(first);
  });

  it('without the series has an unknown load, never none', async () => {
    await engine.listen({ '/health': [200, ''], '/metrics': [200, 'python_info 1.0\n'] });
    expect(await engine.probe()).toMatchObject({ kind: 'passed', load: { slotsTotal: 4, slotsFree: null, inFlight: null }, movement: null });
    await engine.listen({ '/health': [200, ''] });
    expect(await engine.probe()).toMatchObject({ kind: 'failed', cause: { message: expect.stringContaining('/metrics') } });
  });
});

describe('A token of vLLM', () => {
  const answer = (status: number, body: unknown) => ({ status, text: JSON.stringify(body) });

  it('is asked for by the name that the model is served under', () => {
    const ask = vllm.token?.ask(gpuSpec(), { id: 'llama-8b', path: '/models/llama-8b', bytes: 1 });
    expect(ask).toMatchObject({ method: 'POST', path: '/v1/completions' });
    expect(JSON.parse(ask?.body ?? '')).toEqual({ model: 'llama-8b', prompt: 'a', max_tokens: 1, temperature: 0 });
  });

  it('is one that was counted', () => {
    expect(vllm.token?.read(answer(200, { choices: [{ text: 'b' }], usage: { prompt_tokens: 2, completion_tokens: 1 } }))).toBe(true);
    expect(vllm.token?.read(answer(200, { choices: [], usage: { completion_tokens: 0 } }))).toMatchObject({ code: 'health_failed' });
    expect(vllm.token?.read(answer(404, { error: { message: 'The model `x` does not exist.' } }))).toMatchObject({ code: 'health_failed' });
  });
});

describe('Where vLLM says its memory is', () => {
  const log = [
    '(EngineCore_DP0 pid=412) INFO 11-25 12:00:01 [gpu_model_runner.py:2602] Model loading took 14.9889 GiB and 3.211 seconds',
    '(EngineCore_DP0 pid=412) INFO 11-25 12:00:20 [gpu_worker.py:298] Available KV cache memory: 4.21 GiB',
    '(EngineCore_DP0 pid=412) INFO 11-25 12:00:20 [kv_cache_utils.py:1087] GPU KV cache size: 34,496 tokens',
  ];
  const run = (bytes: number | null, gpus = 1) => gpuRun({ model: { id: 'm', path: '/m', bytes }, gpus: twoGpus.slice(0, gpus) });
  const verdict = (bytes: number | null, lines: readonly string[], gpus = 1) => vllm.residency(lines, run(bytes, gpus)).verdict;

  it('is proven by what it measured of nearly all weights and by a KV cache', () => {
    expect(vllm.residency(['noise', ...log], run(15 * gib))).toEqual({ verdict: 'proven', evidence: log });
    expect(verdict(30 * gib, log, 2)).toBe('proven');
    expect(
      verdict(15 * gib, ['INFO 02-01 model_runner.py:1110] Loading model weights took 14.9595 GB', 'INFO # CUDA blocks: 2170, # CPU blocks: 0']),
    ).toBe('proven');
  });

  it('is not proven by anything less', () => {
    expect(verdict(15 * gib, [])).toBe('unproven');
    expect(verdict(15 * gib, log.slice(1))).toBe('unproven');
    expect(verdict(15 * gib, log.slice(0, 1))).toBe('unproven');
    expect(verdict(20 * gib, log)).toBe('unproven');
    expect(verdict(null, log)).toBe('unproven');
  });

  it('is violated by what went to host memory', () => {
    expect(verdict(15 * gib, [...log, 'INFO Total CPU offloaded parameters: 4.0 GiB'])).toBe('violated');
    expect(verdict(15 * gib, [...log, 'INFO Creating v1 connector with name: OffloadingConnector'])).toBe('violated');
  });
});
