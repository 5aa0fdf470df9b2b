/** The actors around an engine, one after the other as a pool asks for them, on real processes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type AnyActorLogic, createActor, type EventObject, type InputFrom, type OutputFrom, setup, toPromise } from 'xstate';
import { adoptEngine } from '../../src/actors/adopt-engine.ts';
import { overOneLine } from '../../src/actors/ask-engine.ts';
import { awaitTreeGone } from '../../src/actors/await-tree-gone.ts';
import { dropRecord } from '../../src/actors/drop-record.ts';
import { pauseTogether } from '../../src/actors/pause-together.ts';
import { type ListenerOwner, probeOnce } from '../../src/actors/probe/probe-once.ts';
import { provisionEngine } from '../../src/actors/provision-engine.ts';
import { provisionModel } from '../../src/actors/provision-model.ts';
import { spawnEngine } from '../../src/actors/spawn-engine.ts';
import { stopEngine } from '../../src/actors/stop-engine.ts';
import { watchEngine } from '../../src/actors/watch-engine.ts';
import { watchStart } from '../../src/actors/watch-start.ts';
import type { EngineFact } from '../../src/machines/events.ts';
import type { Failure, SpawnInput } from '../../src/machines/pool/actors.ts';
import type { EngineExit, ModelShape, PoolSpec, RunRecord } from '../../src/machines/vocabulary.ts';
import { bootId } from '../../src/os/boot-id.ts';
import { listenerOwner } from '../../src/os/listener-owner.ts';
import { isAlive, readProcStat } from '../../src/os/proc-stat.ts';
import { customSpec, type EngineHouse, engineHouse, fixtureEngine } from '../kit/engine-house.ts';
import { gib, gpuSpec } from '../kit/gpu-facts.ts';
import { realEngine, tinyModel } from '../kit/llama-server.ts';
import { until } from '../kit/until.ts';

const done = async <Logic extends AnyActorLogic>(logic: Logic, input: InputFrom<Logic>): Promise<OutputFrom<Logic>> => {
  const actor = createActor(logic, { input });
  actor.subscribe({ error: () => undefined });
  return (await toPromise(actor.start())) as OutputFrom<Logic>;
};
const failure = async (promise: Promise<unknown>): Promise<Failure> =>
  promise.then(
    () => Promise.reject(new Error('it was expected to fail')),
    (thrown: Failure) => thrown,
  );

/** What a callback actor tells its parent. */
const factsOf = <Logic extends AnyActorLogic>(logic: Logic, input: InputFrom<Logic>): { readonly facts: readonly EngineFact[]; stop(): void } => {
  const facts: EngineFact[] = [];
  const parent = setup({ actors: { child: logic as AnyActorLogic } }).createMachine({
    invoke: { src: 'child', input },
    on: { '*': { actions: ({ event }: { event: EventObject }) => void facts.push(event as EngineFact) } },
  });
  const actor = createActor(parent).start();
  onTestFinished(() => void actor.stop());
  return { facts, stop: () => void actor.stop() };
};

const depsOf = (house: EngineHouse) => {
  const owner = listenerOwner((run: RunRecord) => house.trees.membersOf(run, 'now'));
  const runtimeDir = join(house.dir, 'engines');
  return {
    owner,
    runtimeDir,
    spawn: spawnEngine({
      ...house,
      runs: house.state.runs,
      bootId: bootId(),
      simulated: true,
      largestGpuBytes: () => null,
      advertiseHost: '192.0.2.7',
    }),
    adopt: adoptEngine(house),
    stop: stopEngine({ ...house, runs: house.state.runs, runtimeDir, killWaitMs: 3_000 }),
    drop: dropRecord({ ...house, runs: house.state.runs }),
    watch: watchEngine({
      ...house,
      together: pauseTogether(),
      onTrouble: (_run, cause) => {
        throw new Error(cause.message);
      },
    }),
    watchStart: watchStart({ trees: house.trees, vramUsedBytes: null }),
  };
};

const inputOf = (program: string, flags: readonly string[] = [], facts: Partial<PoolSpec> = {}): SpawnInput => {
  const isScript = program.endsWith('.mjs');
  const executable = isScript ? process.execPath : fixtureEngine(program);
  const spec = customSpec({ flags: isScript ? [fixtureEngine(program), ...flags] : flags, provisioning: { mode: 'external', executable }, ...facts });
  return {
    poolId: 'pool-0',
    spec,
    specHash: 'hash',
    engine: { executable, version: null, knownFlags: null },
    model: { id: 'none', path: null, bytes: null },
    gpus: [{ index: 0, uuid: 'GPU-0' }],
    reservedBytes: null,
  };
};

const probeAs = (run: RunRecord, owner: ListenerOwner) =>
  overOneLine(run.endpoint, (line) =>
    probeOnce(run, { listenerOwner: owner, readApiKey: async () => null }, { emptying: false, signal: new AbortController().signal, line }),
  );
const leftIn = (house: EngineHouse, folder: string): readonly string[] =>
  existsSync(join(house.state.dir, folder)) ? readdirSync(join(house.state.dir, folder)) : [];

describe('spawning', () => {
  it('ends with a record on disk, a leased port, and an endpoint for clients', async () => {
    const house = await engineHouse();
    const { run } = await done(depsOf(house).spawn, inputOf('never-listens', [], { host: '0.0.0.0' }));
    expect(await house.state.runs.read('pool-0')).toEqual(run);
    expect(run).toMatchObject({ endpoint: `http://192.0.2.7:${run.port}`, launcher: 'detached', simulated: true, bootId: bootId() });
    expect(run.incarnation).toMatch(/^[0-9a-f]{16}$/);
    await expect(house.ports.lease({ poolId: 'other', host: '127.0.0.1', ports: [run.port], sides: 0 })).rejects.toThrow();
  });

  it('that fails leaves no record, no FIFO and no lease', async () => {
    const house = await engineHouse();
    const input = inputOf('not-there', [], { ports: [18_690] });
    expect(await failure(done(depsOf(house).spawn, input))).toMatchObject({ cause: { code: 'engine_missing' }, at: expect.any(Number) });
    expect([leftIn(house, 'runs'), leftIn(house, 'exits')]).toEqual([[], []]);
    expect(await house.ports.lease({ poolId: 'pool-0', host: '127.0.0.1', ports: [18_690], sides: 0 })).toBe(18_690);
  });

  it('tells why the spec cannot be planned', async () => {
    const house = await engineHouse();
    expect(await failure(done(depsOf(house).spawn, inputOf('never-listens', [], { custom: null })))).toMatchObject({
      cause: { code: 'invalid_spec' },
    });
  });

  it('gives an engine that takes a fraction of its GPU the one that was promised', async () => {
    const house = await engineHouse();
    const cache = { full: { k: 1_024, v: 1_024 }, windowed: { k: 0, v: 0 }, window: null };
    const numbers = { hostBytes: 0, contextLength: 4_096, embedding: 64, feedForward: 128, vocabulary: 100 };
    const shape: ModelShape = { format: 'safetensors', architecture: null, tensorBytes: gib, ...numbers, cache };
    const spawning = spawnEngine({
      ...house,
      runs: house.state.runs,
      bootId: bootId(),
      simulated: true,
      largestGpuBytes: () => 24 * gib,
      advertiseHost: '::1',
    });
    const { run } = await done(spawning, {
      ...inputOf('/bin/echo', [], { engine: 'vllm' }),
      engine: { executable: '/bin/echo', version: null, knownFlags: null },
      model: { id: 'm', path: '/m', bytes: gib, shape },
      reservedBytes: 13.25 * gib,
    });
    // Less the 1.25 GiB that lie outside of its own reckoning, of 24.
    await until('its command line', () => readFileSync(run.logFile, 'utf8').includes('--gpu-memory-utilization 0.5000 '));
    expect(await house.state.runs.read('pool-0')).toMatchObject({ model: { id: 'm', path: '/m', bytes: gib }, reservedBytes: 13.25 * gib });
  });

  it('refuses a second engine of the same pool', async () => {
    const house = await engineHouse();
    const { spawn: spawning } = depsOf(house);
    const { run } = await done(spawning, inputOf('never-listens'));
    expect(await failure(done(spawning, inputOf('never-listens')))).toMatchObject({
      cause: { code: 'identity_mismatch', message: expect.stringContaining(`${run.pid}`) },
    });
  });
});

describe('watching', () => {
  it('says at once that an engine ended and how, and then why and what it said last', async () => {
    const house = await engineHouse();
    const deps = depsOf(house);
    const { run } = await done(deps.spawn, inputOf('exits', ['7', 'bind: Address already in use']));
    const { facts } = factsOf(deps.watch, { run });
    await until('the exit', () => facts.length > 1);
    expect(facts).toMatchObject([
      { type: 'engine.gone', exit: { code: 7, signal: null }, mono: Object(facts[1]).mono },
      {
        type: 'engine.exited',
        exit: { code: 7, signal: null },
        cause: { code: 'port_conflict' },
        tail: ['bind: Address already in use'],
        mono: expect.any(Number),
      },
    ]);
  });

  it('tells an engine that could not be begun from one that ended', async () => {
    const house = await engineHouse();
    const deps = depsOf(house);
    const script = join(house.dir, 'engine');
    await writeFile(script, '#!/no/such/interpreter\n', { mode: 0o755 });
    const { run } = await done(deps.spawn, { ...inputOf('exits'), engine: { executable: script, version: null, knownFlags: null } });
    const { facts } = factsOf(deps.watch, { run });
    await until('the exit', () => facts.length > 1);
    expect(facts).toMatchObject([{ type: 'engine.gone' }, { cause: { code: 'engine_missing', message: expect.stringContaining('interpreter') } }]);
  });

  it('keeps descendants on record, and neither ends nor holds the engine when it stops', async () => {
    const house = await engineHouse();
    const deps = depsOf(house);
    const { run } = await done(deps.spawn, inputOf('forks-setsid-grandchild', [join(house.dir, 'pid')]));
    await until('the grandchild', () => existsSync(join(house.dir, 'pid')) && readFileSync(join(house.dir, 'pid'), 'utf8') !== '');
    const { facts, stop } = factsOf(deps.watch, { run });
    const pid = Number(readFileSync(join(house.dir, 'pid'), 'utf8'));
    await until('it to be recorded', async () => (await house.state.trees.read('pool-0'))?.descendants.some((one) => one.pid === pid));
    stop();
    expect(isAlive(run)).toBe(true);
    expect(facts).toEqual([]);
  });
});

describe('watching a start', () => {
  const stallMs = 400;

  it('says once that nothing moves', async () => {
    const house = await engineHouse();
    const deps = depsOf(house);
    const { run } = await done(deps.spawn, inputOf('never-listens'));
    const begun = performance.now();
    const { facts } = factsOf(deps.watchStart, { run, stallMs });
    await until('the stall', () => facts.length > 0);
    expect(performance.now() - begun).toBeGreaterThanOrEqual(stallMs);
    expect(facts).toMatchObject([{ type: 'engine.stalled', cause: { code: 'start_stalled', message: expect.stringContaining('start_stall_ms') } }]);
  });

  it.each([
    ['its log grows', '#!/bin/sh\nwhile :; do echo .; sleep 0.1; done\n'],
    ['it computes', '#!/bin/sh\nwhile :; do :; done\n'],
  ])('says nothing while %s', async (_what, text) => {
    const house = await engineHouse();
    const deps = depsOf(house);
    const program = join(house.dir, 'engine');
    await writeFile(program, text, { mode: 0o755 });
    const { run } = await done(deps.spawn, { ...inputOf('exits'), engine: { executable: program, version: null, knownFlags: null } });
    const begun = performance.now();
    const { facts } = factsOf(deps.watchStart, { run, stallMs });
    await until('three times the limit', () => performance.now() - begun > 3 * stallMs);
    expect(facts).toEqual([]);
  });

  it('says nothing while its VRAM grows', async () => {
    const house = await engineHouse();
    let bytes = 0;
    const { run } = await done(depsOf(house).spawn, inputOf('never-listens'));
    const begun = performance.now();
    const growing = watchStart({
      trees: house.trees,
      vramUsedBytes: () => {
        bytes += 1;
        return bytes;
      },
    });
    const { facts } = factsOf(growing, { run, stallMs });
    await until('three times the limit', () => performance.now() - begun > 3 * stallMs);
    expect(facts).toEqual([]);
  });
});

describe('adopting', () => {
  it('an engine that runs is ours, loading or listening, and has its port', async () => {
    const house = await engineHouse();
    const { run } = await done(depsOf(house).spawn, inputOf('listens.mjs', ['{port}']));
    const next = await engineHouse(house.dir);
    const { adopt } = depsOf(next);
    expect(await done(adopt, { run })).toMatchObject({ verdict: 'ours', cause: null });
    await until('it to listen', () => readFileSync(run.logFile, 'utf8').includes('listening'));
    expect(await done(adopt, { run })).toMatchObject({ verdict: 'ours', cause: null });
    await expect(next.ports.lease({ poolId: 'other', host: '127.0.0.1', ports: [run.port], sides: 0 })).rejects.toThrow();
  });

  it('one that ended is gone, also after a restart of the machine', async () => {
    const house = await engineHouse();
    const { adopt, spawn: spawning } = depsOf(house);
    const { run } = await done(spawning, inputOf('never-listens'));
    expect(await done(adopt, { run: { ...run, bootId: 'another boot' } })).toMatchObject({ verdict: 'gone' });
    process.kill(run.pid, 'SIGKILL');
    await until('its end', () => !isAlive(run));
    expect(await done(adopt, { run })).toMatchObject({ verdict: 'gone', cause: null });
  });

  it('a thief on its port does not make it less ours: it is adopted, and the probes that follow tell the thief', async () => {
    const house = await engineHouse();
    const deps = depsOf(house);
    const { run } = await done(deps.spawn, inputOf('never-listens'));
    const thief = createServer((socket) => socket.destroy()).listen(run.port, '127.0.0.1');
    await once(thief, 'listening');
    onTestFinished(() => void thief.close());
    expect(await done(deps.adopt, { run })).toMatchObject({ verdict: 'ours', cause: null });
    expect(await probeAs(run, deps.owner)).toMatchObject({ kind: 'failed', outcome: 'foreign' });
    await done(deps.stop, { run });
    expect([isAlive(run), thief.listening]).toEqual([false, true]);
  });

  it('a foreign process with the recorded pid is a stranger and lives on', async () => {
    const house = await engineHouse();
    const deps = depsOf(house);
    const child = spawn('sleep', ['1000'], { stdio: 'ignore', detached: true });
    onTestFinished(() => void child.kill('SIGKILL'));
    const { run } = await done(deps.spawn, inputOf('exits', ['0', '']));
    // What is left of the engine would be ended, whoever has its pid.
    await until('the end of the engine', () => !isAlive(run));
    const forged = { ...run, pid: child.pid ?? 0, startTime: 1 };
    expect(await done(deps.adopt, { run: forged })).toMatchObject({
      verdict: 'stranger',
      cause: { code: 'identity_mismatch', message: expect.stringContaining(`port ${run.port}`) },
    });
    await done(deps.drop, { run: forged });
    expect([leftIn(house, 'runs'), leftIn(house, 'trees'), leftIn(house, 'exits')]).toEqual([[], [], []]);
    expect(readProcStat(child.pid ?? 0)?.state).not.toBe('Z');
  });
});

describe('stopping', () => {
  it('leaves no process, no record, no tree, no FIFO, no handoff file, and the port to its own pool', async () => {
    const house = await engineHouse();
    const deps = depsOf(house);
    await mkdir(deps.runtimeDir);
    await writeFile(join(deps.runtimeDir, 'pool-0-r0.json'), '{}');
    const { run } = await done(deps.spawn, inputOf('forks-setsid-grandchild', [join(house.dir, 'pid')]));
    await until('the grandchild', () => existsSync(join(house.dir, 'pid')) && readFileSync(join(house.dir, 'pid'), 'utf8') !== '');
    await house.trees.refresh(run);
    const spec = { ...run.spec, timeouts: { ...run.spec.timeouts, stop_ms: 200 } };
    expect(await done(deps.stop, { run: { ...run, spec } })).toMatchObject({ survivors: [], killed: true, mono: expect.any(Number) });
    expect([leftIn(house, 'runs'), leftIn(house, 'trees'), leftIn(house, 'exits'), readdirSync(deps.runtimeDir)]).toEqual([[], [], [], []]);
    await expect(house.ports.lease({ poolId: 'other', host: '127.0.0.1', ports: [run.port], sides: 0 })).rejects.toThrow();
    expect(await house.ports.lease({ poolId: 'pool-0', host: '127.0.0.1', ports: [run.port], sides: 0 })).toBe(run.port);
    expect(house.trees.pidsOf(run)).toContain(Number(readFileSync(join(house.dir, 'pid'), 'utf8')));
    expect(await done(deps.stop, { run })).toMatchObject({ survivors: [], killed: false });
  });

  it('leaves the record of a newer run alone', async () => {
    const house = await engineHouse();
    const deps = depsOf(house);
    const { run } = await done(deps.spawn, inputOf('never-listens'));
    await done(deps.stop, { run });
    const { run: newer } = await done(deps.spawn, inputOf('never-listens'));
    await done(deps.stop, { run });
    expect(await house.state.runs.read('pool-0')).toEqual(newer);
    expect(isAlive(newer)).toBe(true);
  });

  it('waiting for a tree that would not die ends when it is gone, and not before', async () => {
    const house = await engineHouse();
    const { run } = await done(depsOf(house).spawn, inputOf('never-listens'));
    const actor = createActor(awaitTreeGone({ trees: house.trees, pollMs: 20 }), { input: { run, survivors: [run.pid] } });
    const gone = toPromise(actor.start());
    const begun = performance.now();
    await until('some looks', () => performance.now() - begun > 150);
    expect(actor.getSnapshot().status).toBe('active');
    process.kill(run.pid, 'SIGKILL');
    expect(await gone).toMatchObject({ mono: expect.any(Number) });
    expect(isAlive(run)).toBe(false);
  });
});

describe.skipIf(realEngine === null || tinyModel === null)('the real llama-server', () => {
  it('is found, started, proven to listen, adopted by the next daemon, and gone after the stop', async () => {
    const house = await engineHouse();
    const deps = depsOf(house);
    const spec = gpuSpec({
      model: `file:${resolve(tinyModel ?? '')}`,
      provisioning: { mode: 'external', executable: realEngine },
      ctx: 256,
    });
    const engine = await done(provisionEngine({ baseDir: '/', engineOf: () => null }), {
      spec,
    });
    const model = await done(provisionModel({ findModel: async ({ reference }) => fileURLToPath(reference) }), { spec });
    expect(engine.version).toMatch(/\d/);
    expect(engine.knownFlags).toContain('--port');
    expect(model).toMatchObject({ id: 'tiny-random-llama', bytes: expect.any(Number) });
    const { run } = await done(deps.spawn, { ...inputOf('exits'), spec, engine, model });
    const watched = factsOf(deps.watch, { run });
    await until('a good probe', async () => (await probeAs(run, deps.owner)).kind === 'passed', 15_000);
    expect(await deps.owner(run)).toBe('ours');
    const next = depsOf(await engineHouse(house.dir));
    expect(await done(next.adopt, { run })).toMatchObject({ verdict: 'ours' });
    expect(await next.owner(run)).toBe('ours');
    const after = factsOf(next.watch, { run });
    expect(await done(deps.stop, { run })).toMatchObject({ survivors: [], killed: false, exit: { code: 0, signal: null } });
    await until('both daemons to have seen its end', () => watched.facts.length === 2 && after.facts.length === 2);
    const told = (exit: EngineExit) => ['engine.gone', 'engine.exited'].map((type) => ({ type, exit }));
    expect(watched.facts).toMatchObject(told({ code: 0, signal: null }));
    expect(after.facts).toMatchObject(told({ code: null, signal: null }));
    expect(await deps.owner(run)).toBe('none');
  });
});
