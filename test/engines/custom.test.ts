import { describe, expect, it } from 'vitest';
import { isCause } from '../../src/cause.ts';
import type { LaunchInput } from '../../src/engines/adapter.ts';
import { custom } from '../../src/engines/custom.ts';
import type { CustomEngine, PoolSpec } from '../../src/machines/vocabulary.ts';
import { gpuRun, gpuSpec } from '../kit/gpu-facts.ts';

const engine: CustomEngine = {
  health_path: '/alive',
  progress_path: '/step',
  in_flight: { path: '/metrics', metrics: ['running', 'waiting'] },
  token: { path: '/generate', body: '{"n":1}' },
};
const spec = (facts: Partial<PoolSpec> = {}): PoolSpec => gpuSpec({ engine: 'custom', slots: 4, ctx: 1024, custom: engine, ...facts });
const input = (facts: Partial<PoolSpec>, path: string | null = '/m/{port}'): LaunchInput => ({
  spec: spec(facts),
  engine: { executable: '/bin/engine', version: null, knownFlags: null },
  model: { id: 'm', path, bytes: null },
  gpus: [{ index: 0, uuid: 'GPU-0' }],
  simulated: false,
  port: 18080,
});

describe('A custom engine', () => {
  it('gets its flags filled in once, words it uses itself left alone', () => {
    const plan = custom.plan(input({ flags: ['--listen={host}:{port}', '-m', '{model}', '{slots}x{ctx}', '{mine}'] }));
    expect(isCause(plan) ? plan : plan.argv).toEqual(['--listen=127.0.0.1:18080', '-m', '/m/{port}', '4x1024', '{mine}']);
  });

  it('is refused without `custom`, or with {model} and no model', () => {
    expect(custom.plan(input({ custom: null }))).toMatchObject({ code: 'invalid_spec' });
    expect(custom.plan(input({ flags: ['{model}'] }, null))).toMatchObject({ code: 'model_missing' });
  });

  it('is asked what its spec says, in order', () => {
    const ok = { status: 200, text: '' };
    expect(custom.liveness.ask(spec())).toEqual({ method: 'GET', path: '/alive' });
    expect(custom.progress?.asks(spec(), false, [])).toEqual({ method: 'GET', path: '/step' });
    expect(custom.progress?.asks(spec(), false, [ok])).toEqual({ method: 'GET', path: '/metrics' });
    expect(custom.progress?.asks(spec(), false, [ok, ok])).toBeNull();
    expect(custom.token?.ask(spec(), { id: 'm', path: null, bytes: null })).toEqual({ method: 'POST', path: '/generate', body: '{"n":1}' });
  });

  it('is asked nothing that its spec leaves out, and then its load is not known', () => {
    const bare = spec({ custom: { ...engine, progress_path: null, in_flight: null, token: null } });
    expect(custom.progress?.asks(bare, true, [])).toBeNull();
    expect(custom.progress?.read(bare, [])).toEqual({ slotsTotal: 4, slotsFree: null, inFlight: null });
    expect(custom.token?.ask(bare, { id: 'm', path: null, bytes: null })).toBeNull();
  });

  it('has its load summed over series and labels', () => {
    const metrics = {
      status: 200,
      text: '# HELP running x\nrunning{engine="0"} 2\nrunning{engine="1"} 1\nwaiting 3.0 1700000000\nrunning_total 9\n',
    };
    expect(custom.progress?.read(spec(), [{ status: 200, text: '' }, metrics])).toEqual({ slotsTotal: 4, slotsFree: 0, inFlight: 6 });
    expect(
      custom.progress?.read(spec(), [
        { status: 200, text: '' },
        { status: 200, text: 'other 1' },
      ]),
    ).toMatchObject({ inFlight: null, slotsFree: null });
    expect(custom.progress?.read(spec(), [{ status: 500, text: '' }, metrics])).toMatchObject({
      code: 'health_failed',
      message: expect.stringContaining('/step'),
    });
  });

  it('is never proven resident by what it prints', () => {
    expect(custom.residency(['offloaded 33/33 layers to GPU'], gpuRun())).toEqual({ verdict: 'unproven', evidence: [] });
  });
});
