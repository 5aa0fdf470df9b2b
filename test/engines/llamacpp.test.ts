import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { isCause } from '../../src/cause.ts';
import type { LaunchInput, LaunchPlan } from '../../src/engines/adapter.ts';
import { adapterFor } from '../../src/engines/index.ts';
import { parseFlags } from '../../src/engines/llamacpp/parse-help.ts';
import { llamacpp } from '../../src/engines/llamacpp.ts';
import type { PoolSpec } from '../../src/machines/vocabulary.ts';
import { gpuRun, gpuSpec } from '../kit/gpu-facts.ts';
import { realEngine } from '../kit/llama-server.ts';

const input = (facts: Partial<PoolSpec> = {}, more: Partial<LaunchInput> = {}): LaunchInput => ({
  spec: gpuSpec({ slots: 4, ctx: 2048, ...facts }),
  engine: { executable: '/opt/llama-server', version: '0.7.0', knownFlags: null },
  model: { id: 'tiny', path: '/models/tiny.gguf', bytes: 1 },
  gpus: [{ index: 3, uuid: 'GPU-aaa' }],
  simulated: false,
  port: 18080,
  ...more,
});
const known = (flags: readonly string[]) => ({ engine: { executable: '/opt/llama-server', version: null, knownFlags: flags } });
const planned = (given: LaunchInput): LaunchPlan => {
  const plan = llamacpp.plan(given);
  if (isCause(plan)) throw new Error(plan.message);
  return plan;
};
const refused = (given: LaunchInput) => {
  const plan = llamacpp.plan(given);
  return isCause(plan) ? plan : null;
};
const line = (given: LaunchInput): string => planned(given).argv.join(' ');

describe('The command line of llama-server', () => {
  it('says everything that matters, for one GPU', () => {
    expect(line(input())).toBe(
      '-m /models/tiny.gguf --host 127.0.0.1 --port 18080 -np 4 -c 8192 --metrics -lv 4 ' +
        '-fit off -kvo -cram 0 --no-cache-idle-slots -ctxcp 0 --lazy-mode off -ngl all -dev CUDA0 -sm none -mg 0',
    );
  });

  it('splits layers over several GPUs, by the shares of the spec', () => {
    const gpus = [
      { index: 3, uuid: 'GPU-aaa' },
      { index: 1, uuid: 'GPU-bbb' },
    ];
    const plan = planned(input({ tensor_split: [0.75, 0.25] }, { gpus }));
    expect(plan.argv.join(' ')).toMatch(/-ngl all -dev CUDA0,CUDA1 -sm layer -mg 0 -ts 0.75,0.25$/);
    expect(plan.env).toMatchObject({ CUDA_VISIBLE_DEVICES: 'GPU-aaa,GPU-bbb', CUDA_DEVICE_ORDER: 'PCI_BUS_ID' });
  });

  it('names no device on simulated GPUs, where the engine is a CPU build', () => {
    const plan = planned(input({}, { simulated: true }));
    expect(plan.argv.filter((word) => ['-ngl', '-dev', '-sm', '-mg', '-ts'].includes(word))).toEqual([]);
    expect(plan.env).not.toHaveProperty('CUDA_VISIBLE_DEVICES');
  });

  it('leaves the context to the engine where the spec names none, and passes a key file where it does', () => {
    expect(line(input({ ctx: null }))).not.toMatch(/ -c /);
    expect(line(input({ api_key_file: '/etc/key' }))).toMatch(/--api-key-file \/etc\/key/);
  });

  it("inherits nothing of the daemon's environment", () => {
    expect(Object.keys(planned(input({ env: { GGML_LOG: '1' } })).env).sort()).toEqual([
      'CUDA_DEVICE_ORDER',
      'CUDA_VISIBLE_DEVICES',
      'GGML_LOG',
      'HOME',
      'LANG',
      'PATH',
    ]);
  });

  it('passes only what this engine knows, and notes which safeguard it lacks', () => {
    const flags = ['-m', '--host', '--port', '-np', '-c', '-ngl', '-dev', '-sm', '-mg', '-kvo', '--metrics', '-lv'];
    const plan = planned(input({}, known(flags)));
    expect(plan.argv).not.toContain('-fit');
    expect(plan.notes).toEqual(
      ['-fit', '-cram', '--no-cache-idle-slots', '-ctxcp', '--lazy-mode'].map((flag) => expect.stringContaining(` ${flag};`)),
    );
  });

  it('is refused for an engine that cannot be pinned to its GPU', () => {
    expect(refused(input({}, known(['-m', '--host', '--port', '-np', '-c', '-ngl'])))).toMatchObject({
      code: 'engine_incompatible',
      details: { flag: '-dev' },
    });
  });

  it('is refused without a model, and for a path that reads as a flag', () => {
    expect(refused(input({}, { model: { id: 'x', path: null, bytes: null } }))?.code).toBe('model_missing');
    expect(refused(input({}, { model: { id: 'x', path: '--rpc', bytes: null } }))?.code).toBe('invalid_spec');
  });

  it.each(['GGML_CUDA_ENABLE_UNIFIED_MEMORY', 'LLAMA_ARG_RPC', 'LLAMA_SERVER_SLOTS_DEBUG', 'CUDA_VISIBLE_DEVICES', 'LD_PRELOAD'])(
    'is refused with %s in env',
    (name) => {
      expect(refused(input({ env: { [name]: '0' } }))).toMatchObject({ code: 'invalid_spec', message: expect.stringContaining(name) });
    },
  );
});

describe("A pool's own flags", () => {
  const names = ['--temp', '-s', '--alias', '--swa-full', '--rpc', '-ot', '--some-new-rpc-thing', '--top-k'];
  const withFlags = (...flags: string[]) => input({ flags }, known([...names, '-m', '--host', '--port', '-np', '-c', '-ngl', '-dev', '-sm', '-mg']));

  it('come last, as they are', () => {
    expect(planned(withFlags('--temp', '-0.5', '--swa-full', '--alias', 'x y')).argv.slice(-5)).toEqual([
      '--temp',
      '-0.5',
      '--swa-full',
      '--alias',
      'x y',
    ]);
  });

  it.each([
    [['--rpc', 'host:1'], 'another machine'],
    [['--tools', 'all'], 'act on this machine'],
    [['-cmoe'], 'stay in VRAM'],
    [['--override_tensor', 'x=CPU'], 'stay in VRAM'],
    [['--rpc=host:1'], 'another machine'],
    [['--some-new-rpc-thing', '1'], 'act on this machine'],
    [['--temp=1'], 'two elements'],
    [['--nonsense'], '--help names'],
    [['--te'], '--help names'],
    [['0.5'], 'without one'],
    [['--temp', '1', '2'], 'without one'],
    [['--alias', '--rpc', 'x'], 'another machine'],
    [['-ngl', '0'], 'stay in VRAM'],
    [['--port', '80'], 'sets it from the spec'],
  ])('%j are refused, with the reason', (flags, why) => {
    expect(refused(withFlags(...flags))).toMatchObject({ code: 'invalid_spec', message: expect.stringContaining(why) });
  });

  it('are refused where the engine could not be asked what it knows', () => {
    expect(refused(input({ flags: ['--temp', '1'] }))?.code).toBe('invalid_spec');
    expect(refused(input({ flags: [] }))).toBeNull();
  });
});

describe.skipIf(realEngine === null)('The real llama-server', () => {
  /** Its version comes on stderr. */
  const ask = (flag: string): string => spawnSync(realEngine ?? '', [flag], { encoding: 'utf8' }).output.join('\n');
  const flags = parseFlags(ask('--help'));

  it('names its version', () => {
    expect(llamacpp.version?.parse(ask('--version'))).toMatch(/^\d/);
  });

  it('names every flag that is passed to it', () => {
    const plan = planned(input({ api_key_file: '/k', tensor_split: [0.5, 0.5] }, { ...known(flags), gpus: [input().gpus, input().gpus].flat() }));
    expect(plan.notes).toBeUndefined();
    expect(flags.length).toBeGreaterThan(200);
  });

  it.each([
    '--rpc',
    '-ot',
    '-ngl',
    '--n-cpu-moe',
    '--no-kv-offload',
    '-cram',
    '--tools',
    '--agent',
    '--mcp-servers-config',
    '--media-path',
    '--slot-save-path',
  ])('has %s, which a pool may not set', (flag) => {
    expect(flags).toContain(flag);
    expect(refused(input({ flags: [flag, 'x'] }, known(flags)))?.code).toBe('invalid_spec');
  });

  it('may be given sampling, batching and cache types', () => {
    const chosen = ['--temp', '0.2', '-b', '512', '-ctk', 'q8_0', '-fa', 'on', '--jinja', '--lora', '/models/lora.gguf', '-md', '/models/draft.gguf'];
    expect(planned(input({ flags: chosen }, known(flags))).argv.slice(-chosen.length)).toEqual(chosen);
  });

  it('is denied every flag that names a file of configuration, a URL or a token', () => {
    const telling = flags.filter((flag) => /^--(?!ui-config$|webui-config$).*(config|-url|token$|-file$|preset)/.test(flag));
    expect(telling.length).toBeGreaterThan(8);
    expect(telling.filter((flag) => refused(input({ flags: [flag, 'x'] }, known(flags))) === null)).toEqual([]);
  });
});

describe('What llama-server answers', () => {
  const answer = (status: number, body: unknown) => ({ status, text: typeof body === 'string' ? body : JSON.stringify(body) });
  const slots = (...busy: boolean[]) =>
    answer(
      200,
      busy.map((is_processing, id) => ({ id, is_processing })),
    );
  const deferred = (count: number) => answer(200, `# TYPE llamacpp:requests_deferred gauge\nllamacpp:requests_deferred ${count}\n`);
  const { progress } = llamacpp;
  const spec = gpuSpec();

  it.each([
    [answer(200, { status: 'ok' }), 'ok'],
    [answer(503, { error: { code: 503, message: 'Loading model', type: 'unavailable_error' } }), 'loading'],
    [answer(503, { error: { code: 503, message: 'no slot available' } }), 'error'],
    [answer(500, ''), 'error'],
    [answer(302, ''), 'error'],
  ])('about its health %#: read as it is', (given, read) => {
    expect(llamacpp.liveness.read(given)).toBe(read);
  });

  it('about its slots: free ones, and requests in them', () => {
    expect(progress?.read(spec, [slots(true, false, false)])).toEqual({ slotsTotal: 3, slotsFree: 2, inFlight: 1 });
    expect(progress?.read(spec, [answer(200, [{ state: 1 }, { state: 0 }])])).toEqual({ slotsTotal: 2, slotsFree: 1, inFlight: 1 });
  });

  it('that is nested beyond reason is not understood, and breaks nothing (S11)', () => {
    const deep = { status: 200, text: '['.repeat(131_072) + ']'.repeat(131_072) };
    for (const text of [deep.text, deep.text.replaceAll('[', '{"a":['), '['.repeat(262_144)])
      expect(progress?.read(spec, [{ status: 200, text }])).toMatchObject({ code: 'health_failed' });
  });

  it('about its queue: it counts, and while it is not empty no slot is free', () => {
    expect(progress?.read(spec, [slots(false, false), deferred(3)])).toEqual({ slotsTotal: 2, slotsFree: 0, inFlight: 3 });
    expect(progress?.read(spec, [slots(false), answer(501, {})])).toEqual({ slotsTotal: 1, slotsFree: 1, inFlight: 0 });
  });

  it('is asked for the queue only when emptying and every slot is idle', () => {
    expect(progress?.asks(spec, false, [])).toEqual({ method: 'GET', path: '/slots' });
    expect(progress?.asks(spec, false, [slots(false)])).toBeNull();
    expect(progress?.asks(spec, true, [slots(true)])).toBeNull();
    expect(progress?.asks(spec, true, [slots(false)])).toEqual({ method: 'GET', path: '/metrics' });
    expect(progress?.asks(spec, true, [slots(false), deferred(0)])).toBeNull();
  });

  it.each([answer(200, 'nonsense'), answer(200, [{ id: 0 }]), answer(501, { error: {} }), answer(200, { slots: [] })])(
    'not understood %#: a cause',
    (given) => {
      expect(progress?.read(spec, [given])).toMatchObject({ code: 'health_failed', message: expect.stringContaining('/slots') });
    },
  );

  it('about a token: at least one was made', () => {
    expect(llamacpp.token?.read(answer(200, { content: '@', tokens_predicted: 1 }))).toBe(true);
    expect(llamacpp.token?.read(answer(200, { content: '', tokens_predicted: 0 }))).toMatchObject({ code: 'health_failed' });
    expect(llamacpp.token?.read(answer(500, { tokens_predicted: 1 }))).toMatchObject({ code: 'health_failed' });
  });
});

describe('Where llama-server says its memory is', () => {
  const gpuLog = [
    'load_tensors: offloaded 33/33 layers to GPU',
    'load_tensors:   CPU_Mapped model buffer size =    70.31 MiB',
    'load_tensors:        CUDA0 model buffer size =  4095.05 MiB',
    '0.00.046.551 I llama_kv_cache:      CUDA0 KV buffer size =   512.00 MiB',
    'llama_context:  CUDA_Host  output buffer size =     0.12 MiB',
    'sched_reserve:      CUDA0 compute buffer size =   258.50 MiB',
  ];
  const verdict = (...log: string[]) => llamacpp.residency(log, gpuRun()).verdict;

  it('is proven by layers, weights and KV cache on the GPU, with the lines as evidence', () => {
    expect(llamacpp.residency(['noise', ...gpuLog], gpuRun())).toEqual({ verdict: 'proven', evidence: gpuLog });
  });

  it('is violated by a layer or a cache elsewhere', () => {
    expect(verdict(...gpuLog.with(0, 'load_tensors: offloaded 31/33 layers to GPU'))).toBe('violated');
    expect(verdict(...gpuLog, 'llama_kv_cache:        CPU KV buffer size =   16.00 MiB')).toBe('violated');
    expect(verdict(...gpuLog, 'llama_memory_recurrent:        CPU RS buffer size =   16.00 MiB')).toBe('violated');
    expect(verdict(...gpuLog, 'common_params_fit_impl: 33 layers (2 overflowing), 4096 MiB used')).toBe('violated');
  });

  it('is not proven by anything less', () => {
    expect(verdict()).toBe('unproven');
    expect(verdict('srv  llama_server: model loaded')).toBe('unproven');
    for (const [index] of gpuLog.entries()) {
      const without = verdict(...gpuLog.toSpliced(index, 1));
      expect(without).toBe([0, 2, 3].includes(index) ? 'unproven' : 'proven');
    }
  });
});

describe('Why llama-server ended', () => {
  it.each([
    ['ggml_backend_cuda_buffer_type_alloc_buffer: allocating 40000.00 MiB on device 0: cudaMalloc failed: out of memory', 'cuda_oom'],
    ['CUDA error: an illegal memory access was encountered', 'cuda_error'],
    ['CUDA error: out of memory', 'cuda_oom'],
    ['ggml_cuda_init: failed to initialize CUDA: CUDA driver version is insufficient for CUDA runtime version', 'driver_mismatch'],
    ['ggml_cuda_init: failed to initialize CUDA: no CUDA-capable device is detected', 'gpu_missing'],
    ['ggml_cuda_init: failed to initialize CUDA: unknown error', 'driver_error'],
    ["srv         start: couldn't bind HTTP server socket, hostname: 127.0.0.1, port: 18778", 'port_conflict'],
    [
      'llama-server: error while loading shared libraries: libggml.so: cannot open shared object file: No such file or directory',
      'engine_incompatible',
    ],
    ['error while handling argument "-dev": invalid device: CUDA0', 'engine_incompatible'],
    ['error: invalid argument: --bogus', 'invalid_spec'],
    ["gguf_init_from_file: failed to open GGUF file '/nonexist.gguf' (No such file or directory)", 'model_missing'],
    ["llama_model_load: error loading model: unknown model architecture: 'x'", 'model_incompatible'],
    ["terminate called after throwing an instance of 'std::bad_alloc'", 'insufficient_host_memory'],
    ['/src/ggml.c:100: GGML_ASSERT(x) failed', 'engine_exited'],
  ])('is read from %j', (last, code) => {
    const cause = llamacpp.classifyExit({ code: 1, signal: null }, ['starting', last, 'srv  llama_server: exiting due to model loading error', '']);
    expect(cause).toMatchObject({ code, message: expect.stringContaining(last.slice(0, 40)), details: { code: 1, signal: null } });
  });

  it('is told by the exit where the output says nothing', () => {
    expect(llamacpp.classifyExit({ code: 0, signal: null }, ['CUDA error: x']).code).toBe('engine_completed');
    expect(llamacpp.classifyExit({ code: null, signal: 'SIGKILL' }, [])).toMatchObject({
      code: 'engine_exited',
      message: expect.stringContaining('killed by SIGKILL'),
    });
    expect(llamacpp.classifyExit({ code: 9, signal: null }, ['last words', ''])).toMatchObject({
      message: expect.stringMatching(/exit code 9.*last words/),
    });
    expect(llamacpp.classifyExit({ code: null, signal: null }, [])).toMatchObject({ message: expect.stringContaining('not known') });
  });
});

describe('The table of engines', () => {
  it.each(['llamacpp', 'vllm', 'sglang', 'tgi', 'custom'] as const)('has %s', (name) => {
    expect(adapterFor(name)).toMatchObject({ name });
  });
});
