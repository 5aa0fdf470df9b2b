import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createActor, toPromise } from 'xstate';
import { type ProveReadinessDeps, proveReadiness } from '../../src/actors/prove-readiness.ts';
import { writeStubExecutable } from '../../src/demo/stub-executable.ts';
import type { ProveInput } from '../../src/machines/pool/actors.ts';
import type { Proof, RunRecord } from '../../src/machines/vocabulary.ts';
import { type EngineProcess, freePort, startEngine, temporaryDir } from '../kit/engine-process.ts';
import { httpEngine } from '../kit/evil-engine.ts';
import { gib, gpuRun, gpuSpec } from '../kit/gpu-facts.ts';
import { realEngine, tinyModel } from '../kit/llama-server.ts';
import { until } from '../kit/until.ts';

const prove = (input: ProveInput, deps: Partial<ProveReadinessDeps> = {}): Promise<Proof> =>
  toPromise(createActor(proveReadiness({ listenerOwner: async () => 'ours', readApiKey: async () => null, ...deps }), { input }).start());
const refusal = (input: ProveInput, deps: Partial<ProveReadinessDeps> = {}): Promise<unknown> =>
  prove(input, deps).catch((thrown: unknown) => thrown);

interface Script {
  readonly health?: number;
  readonly slots?: number;
  readonly token?: number;
  readonly asked?: string[];
}
const scripted = ({ health = 200, slots = 200, token = 200, asked = [] }: Script = {}) =>
  httpEngine((request, response) => {
    asked.push(request.url ?? '');
    if (request.url === '/health') response.writeHead(health).end('{}');
    else if (request.url === '/slots') response.writeHead(slots).end('[{"is_processing":true},{"is_processing":false}]');
    else response.writeHead(token).end('{"content":"@","tokens_predicted":1}');
  });

const gpuLog = ['offloaded 3/3 layers to GPU', 'CUDA0 model buffer size = 1.0 MiB', 'CUDA0 KV buffer size = 1.0 MiB'];
const runAt = (port: number, facts: Partial<RunRecord> = {}): RunRecord =>
  gpuRun({ port, spec: gpuSpec({ slots: 4, health: { ...gpuSpec().health, timeout_ms: 500, progress_timeout_ms: 500 } }), ...facts });
const recorded: Proof = { residency: 'proven', evidence: ['x'], slotsTotal: 2, engineVersion: '1', modelsAvailable: ['m'], firstTokenMs: 12 };

describe('A managed engine', () => {
  it('is ready with every proof, slots reduced to what it reports', async () => {
    const { port } = await scripted();
    const proof = await prove({ run: runAt(port), mode: 'managed', proof: null }, { readLog: async () => gpuLog });
    expect(proof).toMatchObject({ residency: 'proven', evidence: gpuLog, slotsTotal: 2, modelsAvailable: ['tiny'], mono: expect.any(Number) });
    expect(proof.firstTokenMs).toBeGreaterThan(0);
  });

  it('is asked for all of them over one connection', async () => {
    const asked: string[] = [];
    const { port, sockets, openSockets } = await scripted({ asked });
    await prove({ run: runAt(port), mode: 'managed', proof: null }, { readLog: async () => gpuLog });
    expect([asked, sockets()]).toEqual([['/health', '/slots', '/completion'], 1]);
    await until('it to end', () => openSockets() === 0);
  });

  it.each([
    ['listener', 'port_conflict', {}, { listenerOwner: async () => 'foreign' as const }],
    ['listener', 'port_conflict', {}, { listenerOwner: async () => 'unknown' as const }],
    ['listener', 'health_failed', {}, { listenerOwner: async () => 'none' as const }],
    ['health', 'health_failed', { health: 500 }, {}],
    ['health', 'health_failed', { slots: 500 }, {}],
    ['token', 'health_failed', { token: 500 }, {}],
    ['residency', 'residency_violation', {}, { readLog: async () => [] }],
    ['residency', 'residency_violation', {}, { readLog: async () => gpuLog.with(0, 'offloaded 2/3 layers to GPU') }],
  ])('without %s is not: %s, and the proof is named', async (proof, code, script, deps) => {
    const { port } = await scripted(script);
    expect(await refusal({ run: runAt(port), mode: 'managed', proof: null }, { readLog: async () => gpuLog, ...deps })).toMatchObject({
      cause: { code, message: expect.stringContaining(`${proof} not proven: expected`), details: { proof } },
      mono: expect.any(Number),
    });
  });

  it('shows what its processes hold beside what it says, and is not ready where that is too little', async () => {
    const { port } = await scripted();
    const measuring = (vramBytes: number) => ({ vramUsedBytes: () => vramBytes, membersOf: async () => [] });
    const run = runAt(port, { model: { id: 'tiny', path: null, bytes: 10 * gib } });
    const proof = await prove({ run, mode: 'managed', proof: null }, { readLog: async () => gpuLog, residency: measuring(10 * gib) });
    expect(proof.evidence).toEqual([...gpuLog, expect.stringContaining('its processes hold 10.00 GiB of VRAM')]);
    const refused = await refusal({ run, mode: 'managed', proof: null }, { readLog: async () => gpuLog, residency: measuring(gib) });
    expect(refused).toMatchObject({
      cause: { code: 'residency_violation', message: expect.stringMatching(/^residency not proven: .*found 1\.00 GiB/) },
    });
  });

  it('without a log to read, or anybody listening, fails with a cause', async () => {
    const { port } = await scripted();
    expect(await refusal({ run: runAt(port, { logFile: '/does/not/exist' }), mode: 'managed', proof: null })).toMatchObject({
      cause: { code: expect.any(String) },
    });
    expect(await refusal({ run: runAt(await freePort()), mode: 'managed', proof: null })).toMatchObject({ cause: { code: 'health_failed' } });
  });
});

describe('Others than managed engines', () => {
  it('adopted: the recorded proof stands, and a busy engine is asked for no token', async () => {
    const asked: string[] = [];
    const { port } = await scripted({ asked });
    expect(await prove({ run: runAt(port), mode: 'adopted', proof: recorded })).toMatchObject(recorded);
    expect(asked).toEqual(['/health', '/slots']);
  });

  it('adopted: not without its listener, its work loop or its record', async () => {
    const { port } = await scripted();
    const { port: stuck } = await scripted({ slots: 500 });
    expect(await refusal({ run: runAt(port), mode: 'adopted', proof: recorded }, { listenerOwner: async () => 'foreign' })).toMatchObject({
      cause: { code: 'port_conflict' },
    });
    expect(await refusal({ run: runAt(stuck), mode: 'adopted', proof: recorded })).toMatchObject({ cause: { details: { proof: 'health' } } });
    expect(await refusal({ run: runAt(port), mode: 'adopted', proof: null })).toMatchObject({ cause: { code: 'identity_mismatch' } });
  });

  it('attached: health is all that is asked, its residency is not proven', async () => {
    const { port } = await scripted({ slots: 501 });
    const run = runAt(port, { bootId: '', logFile: '' });
    expect(await prove({ run, mode: 'attached', proof: null }, { listenerOwner: async () => 'foreign' })).toMatchObject({
      residency: 'unproven',
      firstTokenMs: null,
    });
  });
});

const healthy = ({ run }: EngineProcess) =>
  until(
    'health',
    () =>
      fetch(`${run.endpoint}/health`).then(
        (response) => response.ok,
        () => false,
      ),
    10_000,
  );

describe.skipIf(tinyModel === null)('With an engine of flesh and blood', () => {
  it.skipIf(realEngine === null)(
    'the real llama-server on simulated GPUs is proven as simulated, on real ones its CPU run is a violation',
    async () => {
      const engine = await startEngine(realEngine ?? '', tinyModel ?? '', { slots: 2, ctx: 256 });
      await healthy(engine);
      const proof = await prove({ run: engine.run, mode: 'managed', proof: null });
      expect(proof).toMatchObject({ residency: 'simulated', slotsTotal: 2, firstTokenMs: expect.any(Number) });
      expect(proof.evidence.join('\n')).toMatch(/CPU KV buffer size/);
      expect(await refusal({ run: { ...engine.run, simulated: false }, mode: 'managed', proof: null })).toMatchObject({
        cause: {
          code: 'residency_violation',
          details: { proof: 'residency', evidence: expect.arrayContaining([expect.stringContaining('KV buffer size')]) },
        },
      });
    },
  );

  it('the stub is proven on simulated GPUs only', async () => {
    const engine = await startEngine(await writeStubExecutable(await temporaryDir()), tinyModel ?? '', { env: { STUB_LOAD_MS: '0' } });
    await healthy(engine);
    expect(await prove({ run: engine.run, mode: 'managed', proof: null })).toMatchObject({ residency: 'simulated', slotsTotal: 1 });
    expect(await refusal({ run: { ...engine.run, simulated: false }, mode: 'managed', proof: null })).toMatchObject({
      cause: { code: 'residency_violation' },
    });
  });
});

it('Only the beginning of a long log is read', async () => {
  const logFile = join(await temporaryDir(), 'log');
  await writeFile(logFile, `${gpuLog.join('\n')}\n${'noise\n'.repeat(400_000)}`);
  const { port } = await scripted();
  expect(await prove({ run: runAt(port, { logFile }), mode: 'managed', proof: null })).toMatchObject({ residency: 'proven' });
});
