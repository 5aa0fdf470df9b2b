import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { planAnyway } from '../../src/engines/tgi/plan.ts';
import { tgi } from '../../src/engines/tgi.ts';
import { type CannedEngine, cannedEngine } from '../kit/canned-engine.ts';
import { gpuRun } from '../kit/gpu-facts.ts';
import { planned, refused, startOf, twoGpus } from '../kit/tensor-parallel-input.ts';

const input = startOf('tgi', '/opt/tgi/text-generation-launcher');

describe('text-generation-inference', () => {
  it('is refused on a real GPU, since nothing it says could prove where its memory is', () => {
    expect(refused(tgi.plan, input())).toMatchObject({
      code: 'engine_incompatible',
      message: expect.stringContaining('cannot prove that all is in VRAM'),
    });
    expect(tgi.residency(['Setting max batch total tokens to 34496'], gpuRun())).toEqual({ verdict: 'unproven', evidence: [] });
  });

  it('is started on simulated ones', () => {
    expect(planned(tgi.plan, input({}, { simulated: true, vram: null })).argv.join(' ')).toBe(
      '--model-id /models/llama-8b --hostname 127.0.0.1 --port 18080 --max-concurrent-requests 4 --max-input-tokens 2047 --max-total-tokens 2048 ' +
        '--shard-uds-path /tmp/text-generation-server-18080 --master-port 38080 --graceful-termination-timeout 14 --usage-stats off',
    );
  });

  it('will have its fraction of the card from what was granted, and a shard for each GPU', () => {
    const plan = planned(planAnyway, input({}, { gpus: twoGpus }));
    expect(plan.argv.join(' ')).toMatch(/--cuda-memory-fraction 0.4166 --num-shard 2 --sharded true$/);
    expect(plan.env).toMatchObject({ CUDA_VISIBLE_DEVICES: 'GPU-aaa,GPU-bbb', PATH: expect.stringMatching(/^\/opt\/tgi:/) });
    expect(refused(planAnyway, input({}, { vram: null }))?.code).toBe('driver_error');
  });

  it('keeps the port where shards meet a port', () => {
    expect(planned(tgi.plan, input({}, { simulated: true, port: 60_000 })).argv.join(' ')).toMatch(/--master-port 40000 /);
  });

  it.each([
    [['--cuda-memory-fraction', '1.0'], 'VRAM that was granted'],
    [['--trust-remote-code'], 'runs code'],
    [['--lora-adapters', 'x'], 'adapters'],
    [['--ngrok'], 'where the engine answers'],
    [['--num-shard', '2'], '`devices`'],
    [['--cuda-mem', '1'], '--help names'],
  ])('is refused with %j in flags', (flags, why) => {
    const engine = { executable: '/x', version: null, knownFlags: ['--dtype'] };
    expect(refused(tgi.plan, input({ flags }, { engine }))).toMatchObject({ code: 'invalid_spec', message: expect.stringContaining(why) });
  });

  it.each(['CUDA_MEMORY_FRACTION', 'TRUST_REMOTE_CODE', 'LORA_ADAPTERS', 'MODEL_ID', 'HF_TOKEN', 'LD_PRELOAD'])(
    'is refused with %s in env, which is a flag too',
    (name) => {
      expect(refused(tgi.plan, input({ env: { [name]: '1' } }))).toMatchObject({ code: 'invalid_spec', message: expect.stringContaining(name) });
    },
  );

  it('says its version and its flags', () => {
    expect(tgi.version?.parse('text-generation-launcher 3.3.6\n')).toBe('3.3.6');
    const help =
      '      --model-id <MODEL_ID>\n          The name of the model to load.\n          - awq: 4 bit\n          [env: MODEL_ID=]\n  -p, --port <PORT>\n';
    expect(tgi.help?.parseFlags(help)).toEqual(['--model-id', '-p', '--port']);
  });
});

describe('A TGI that is asked', () => {
  let engine: CannedEngine;
  beforeEach(async () => {
    engine = await cannedEngine({ engine: 'tgi', slots: 4 });
  });
  afterEach(() => engine.close());

  const metrics = (queue: number, batch: number, steps: number): string =>
    [
      '# TYPE tgi_queue_size gauge',
      `tgi_queue_size ${queue}`,
      `tgi_batch_current_size ${batch}`,
      'tgi_batch_inference_success{method="prefill"} 3',
      `tgi_batch_inference_success{method="decode"} ${steps}`,
    ].join('\n');

  it('loads: nobody listens; then it is well, or one of its shards is not', async () => {
    expect(await engine.probe()).toMatchObject({ kind: 'failed', outcome: 'refused' });
    await engine.listen({ '/health': [200, ''], '/metrics': [200, metrics(1, 3, 7)] });
    expect(await engine.probe()).toMatchObject({ kind: 'passed', load: { slotsTotal: 4, slotsFree: 0, inFlight: 4 }, movement: '10' });
    await engine.listen({ '/health': [503, '{"error":"unhealthy","error_type":"healthcheck"}'] });
    expect(await engine.probe()).toMatchObject({ kind: 'failed', outcome: 'error', cause: { message: expect.stringContaining('unhealthy') } });
  });

  it('before its first request has an unknown load, never none', async () => {
    await engine.listen({ '/health': [200, ''], '/metrics': [200, ''] });
    expect(await engine.probe()).toMatchObject({ kind: 'passed', load: { slotsTotal: 4, slotsFree: null, inFlight: null }, movement: null });
  });
});
