import type { RequestListener } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createActor, setup, stopChild } from 'xstate';
import { pauseTogether } from '../../src/actors/pause-together.ts';
import { suspectHost } from '../../src/actors/probe/host-suspicion.ts';
import { type ProbeHealthDeps, probeHealth } from '../../src/actors/probe-health.ts';
import { writeStubExecutable } from '../../src/demo/stub-executable.ts';
import type { EngineFact } from '../../src/machines/events.ts';
import type { ProbePace } from '../../src/machines/pool/actors.ts';
import type { PoolSpec, RunRecord } from '../../src/machines/vocabulary.ts';
import { freePort, startEngine, temporaryDir } from '../kit/engine-process.ts';
import { httpEngine, tcpEngine } from '../kit/evil-engine.ts';
import { gpuRun, gpuSpec } from '../kit/gpu-facts.ts';
import { realEngine, tinyModel } from '../kit/llama-server.ts';
import { until } from '../kit/until.ts';

const health = { interval_ms: 40, timeout_ms: 150, progress_timeout_ms: 600, failures: 3, canary: false };
const runAt = (port: number, facts: Partial<PoolSpec> = {}): RunRecord => gpuRun({ port, spec: gpuSpec({ health, ...facts }) });

interface Probing {
  readonly facts: EngineFact[];
  readonly said: (type: EngineFact['type']) => readonly EngineFact[];
  readonly pace: (pace: ProbePace) => void;
  readonly stop: () => void;
}

const probing = (run: RunRecord, pace: ProbePace, deps: Partial<ProbeHealthDeps> = {}): Probing => {
  const facts: EngineFact[] = [];
  const logic = probeHealth({
    listenerOwner: async () => 'ours',
    readApiKey: async () => null,
    vramUsedBytes: null,
    residency: null,
    suspicion: suspectHost(),
    together: pauseTogether(),
    ...deps,
  });
  const parent = setup({ actors: { probe: logic } }).createMachine({
    invoke: { id: 'probe', src: 'probe', input: { run, pace } },
    on: { stop: { actions: stopChild('probe') }, '*': { actions: ({ event }) => facts.push(event as unknown as EngineFact) } },
  });
  const actor = createActor(parent).start();
  onTestFinished(() => void actor.stop());
  return {
    facts,
    said: (type) => facts.filter((fact) => fact.type === type),
    pace: (next) => actor.getSnapshot().children['probe']?.send({ type: 'probe.paced', pace: next }),
    stop: () => actor.stop(),
  };
};

/** A llama-server whose answers a test can change. `decoded`: tokens of each busy slot; null: it does not say. */
const llama = () => {
  const state = {
    decoded: null as number | null,
    /** Idle answers until work comes; null: none comes by itself. */
    idleAnswers: null as number | null,
    tokenStatus: 200,
    tokens: 0,
    loading: false,
    busy: 0,
    total: 2,
    deferred: 0,
    slotsMs: 0,
    slotsHang: false,
    health: 200,
    asked: [] as string[],
  };
  const listener: RequestListener = (request, response) => {
    state.asked.push(request.url ?? '');
    if (request.url === '/slots' && state.idleAnswers !== null) {
      if (state.idleAnswers === 0) Object.assign(state, { idleAnswers: null, busy: 1 });
      else state.idleAnswers -= 1;
    }
    if (state.loading) response.writeHead(503).end('{"error":{"code":503,"message":"Loading model"}}');
    else if (request.url === '/health') response.writeHead(state.health).end('{"status":"ok"}');
    else if (request.url === '/completion') {
      state.tokens += 1;
      response.writeHead(state.tokenStatus).end('{"tokens_predicted":1}');
    } else if (request.url === '/metrics') response.end(`llamacpp:requests_deferred ${state.deferred}\n`);
    else if (!state.slotsHang)
      setTimeout(() => response.end(JSON.stringify(Array.from({ length: state.total }, (_, id) => slotOf(id, state)))), state.slotsMs);
  };
  return { state, listener };
};

const slotOf = (id: number, { busy, decoded }: { busy: number; decoded: number | null }) => ({
  id,
  is_processing: id < busy,
  ...(id < busy && decoded !== null && { id_task: 1, n_prompt_tokens_processed: 4, next_token: [{ n_decoded: decoded }] }),
});

describe('An engine that answers and does not get on', () => {
  const short = { ...health, progress_timeout_ms: 200 };

  it('is wedged once its work has stood still for long, and not a moment while it moves', async () => {
    const { state, listener } = llama();
    Object.assign(state, { busy: 1, decoded: 0 });
    const engine = await httpEngine(listener);
    const { said, facts } = probing(runAt(engine.port, { health: short }), 'steady');
    for (let step = 1; step <= 12; step += 1) {
      const asked = state.asked.length;
      state.decoded = step;
      await until('another probe', () => state.asked.length > asked + 1);
    }
    const wedged = () => said('health.failed').filter((fact) => fact.type === 'health.failed' && fact.outcome === 'wedged');
    expect(wedged()).toEqual([]);
    const failure = await until('a standstill', () => wedged()[0]);
    expect(failure).toMatchObject({ outcome: 'wedged', cause: { code: 'wedged', message: expect.stringContaining('1 requests') } });
    const before = facts.length;
    state.busy = 0;
    await until('a pass', () => facts.slice(before).some(({ type }) => type === 'health.passed'));
  });

  it('is not judged where it does not tell how far its work has come', async () => {
    const { state, listener } = llama();
    state.busy = 1;
    const engine = await httpEngine(listener);
    const { said, facts } = probing(runAt(engine.port, { health: short }), 'steady');
    await until('many probes', () => facts.length > 15);
    expect(said('health.failed')).toEqual([]);
  });
});

describe('A canary', () => {
  const wanted = { ...health, interval_ms: 5, canary: true };

  it('asks an idle engine for a token now and then, and fails it when none comes', async () => {
    const { state, listener } = llama();
    const engine = await httpEngine(listener);
    const { said } = probing(runAt(engine.port, { health: wanted }), 'steady');
    await until('a token', () => state.tokens > 0);
    expect(said('health.failed')).toEqual([]);
    state.tokenStatus = 500;
    expect(await until('a failure', () => said('health.failed')[0])).toMatchObject({ outcome: 'error', cause: { code: 'health_failed' } });
  });

  it('asks at each probe from then on, so that none in between says that all is well, until a token comes', async () => {
    const { state, listener } = llama();
    const engine = await httpEngine(listener);
    const { facts, said } = probing(runAt(engine.port, { health: wanted }), 'steady');
    state.tokenStatus = 500;
    await until('a failure', () => said('health.failed').length > 0);
    const since = facts.length - 1;
    await until('more than a pool forgives', () => said('health.failed').length > 3);
    expect(facts.slice(since).map(({ type }) => type)).not.toContain('health.passed');
    state.tokenStatus = 200;
    const tokens = state.tokens;
    await until('it to be well', () => said('health.passed').length > 3);
    const asked = state.tokens;
    await until('some probes', () => said('engine.sampled').length > 8);
    expect(asked - tokens).toBeGreaterThan(0);
    expect(state.tokens - asked).toBeLessThan(3);
  });

  it.each([
    ['an engine with work in it', { busy: 1, canary: true }],
    ['a pool that wants none', { busy: 0, canary: false }],
  ])('leaves %s alone', async (_, { busy, canary }) => {
    const { state, listener } = llama();
    state.busy = busy;
    const engine = await httpEngine(listener);
    const { facts } = probing(runAt(engine.port, { health: { ...wanted, canary } }), 'steady');
    await until('many probes', () => facts.length > 40);
    expect(state.tokens).toBe(0);
  });
});

describe('An engine that loads', () => {
  it('is silent until it passes, and passes within milliseconds of being ready', async () => {
    const { state, listener } = llama();
    state.loading = true;
    const engine = await httpEngine(listener);
    const { facts } = probing(runAt(engine.port, { health: { ...health, interval_ms: 60_000 } }), 'loading');
    await until('many probes', () => state.asked.length > 5);
    expect(facts).toEqual([]);
    state.loading = false;
    const ready = performance.now();
    const first = await until('the first pass', () => facts[0]);
    // Not at the interval of a pool that serves, which is a minute.
    expect(performance.now() - ready).toBeLessThan(1_000);
    expect(first).toMatchObject({
      type: 'health.passed',
      outcome: 'ok',
      load: { slotsTotal: 2, slotsFree: 2, inFlight: 0 },
      mono: expect.any(Number),
    });
  });

  it('is silent where nobody listens yet', async () => {
    let owners = 0;
    const { facts } = probing(runAt(await freePort()), 'loading', {
      listenerOwner: async () => {
        owners += 1;
        return 'none';
      },
      readApiKey: async () => null,
    });
    const { state, listener } = llama();
    const other = await httpEngine(listener);
    probing(runAt(other.port), 'loading');
    await until('another engine to be probed', () => state.asked.length > 1);
    expect(facts).toEqual([]);
    expect(owners).toBe(0);
  });

  it('that is somebody else on its port is said, however well it answers', async () => {
    const engine = await httpEngine(llama().listener);
    const { facts } = probing(runAt(engine.port), 'loading', { listenerOwner: async () => 'foreign' });
    expect(await until('a fact', () => facts[0])).toMatchObject({ type: 'health.failed', outcome: 'foreign', cause: { code: 'port_conflict' } });
  });
});

describe('A steady engine', () => {
  it('passes twice aloud, then is only sampled', async () => {
    const engine = await httpEngine(llama().listener);
    const { said } = probing(runAt(engine.port), 'steady', { vramUsedBytes: () => 7 });
    await until('samples', () => said('engine.sampled').length >= 5);
    expect(said('health.passed')).toHaveLength(2);
    expect(said('engine.loadChanged')).toHaveLength(0);
    expect(said('engine.sampled')[0]).toMatchObject({ outcome: 'ok', vramUsedBytes: 7, load: { slotsFree: 2 } });
  });

  it('is asked over a new connection by each probe, and over one by all requests of it', async () => {
    const { state, listener } = llama();
    const engine = await httpEngine(listener);
    const { facts, stop } = probing(runAt(engine.port), 'steady');
    await until('many probes', () => facts.length > 6);
    stop();
    await until('the last connection to end', () => engine.openSockets() === 0);
    const probes = state.asked.filter((path) => path === '/health').length;
    expect(state.asked.length).toBeGreaterThan(2 * probes - 2);
    expect(engine.sockets()).toBe(probes);
    expect(engine.mostSockets()).toBeLessThanOrEqual(2);
  });

  it('has every change of its load said once', async () => {
    const { state, listener } = llama();
    const engine = await httpEngine(listener);
    const { said } = probing(runAt(engine.port), 'steady');
    await until('samples', () => said('engine.sampled').length >= 3);
    state.busy = 2;
    await until('the change', () => said('engine.loadChanged').length === 1);
    const samples = said('engine.sampled').length;
    await until('more samples', () => said('engine.sampled').length > samples + 2);
    expect(said('engine.loadChanged')).toEqual([expect.objectContaining({ load: { slotsTotal: 2, slotsFree: 0, inFlight: 2 } })]);
  });

  it('that answers slowly is busy, not dead', async () => {
    const { state, listener } = llama();
    state.slotsMs = 250;
    const engine = await httpEngine(listener);
    const { facts } = probing(runAt(engine.port), 'steady');
    expect(await until('a fact', () => facts[0])).toMatchObject({ type: 'health.passed', outcome: 'busy' });
  });

  it.each([
    ['its work loop stands', 'timeout', (state: ReturnType<typeof llama>['state']) => Object.assign(state, { slotsHang: true })],
    ['it answers 500', 'error', (state: ReturnType<typeof llama>['state']) => Object.assign(state, { health: 500 })],
    ['it loads again', 'error', (state: ReturnType<typeof llama>['state']) => Object.assign(state, { loading: true })],
  ])('fails when %s: %s at every probe, and two passes bring it back', async (_what, outcome, spoil) => {
    const { state, listener } = llama();
    const engine = await httpEngine(listener);
    const { said } = probing(runAt(engine.port), 'steady');
    await until('samples', () => said('engine.sampled').length >= 3);
    const good = { ...state };
    spoil(state);
    await until('failures', () => said('health.failed').length >= 2);
    expect(said('health.failed')[0]).toMatchObject({
      outcome,
      cause: { code: 'health_failed', message: expect.stringMatching(/expected .* found /) },
    });
    Object.assign(state, good);
    await until('passes', () => said('health.passed').length === 4);
    expect(engine.mostSockets()).toBe(1);
  });

  it('fails as refused when nobody listens, and as timeout when it takes connections only', async () => {
    const gone = probing(runAt(await freePort()), 'steady');
    expect(await until('a fact', () => gone.facts[0])).toMatchObject({ type: 'health.failed', outcome: 'refused' });
    const silent = await tcpEngine(() => undefined);
    const { facts } = probing(runAt(silent.port), 'steady');
    expect(await until('a fact', () => facts[0])).toMatchObject({
      type: 'health.failed',
      outcome: 'timeout',
      cause: { message: expect.stringContaining('health.timeout_ms') },
    });
  });

  it('of somebody else passes with its slots hidden', async () => {
    const engine = await httpEngine((request, response) => response.writeHead(request.url === '/health' ? 200 : 501).end('{}'));
    const { facts } = probing({ ...runAt(engine.port), bootId: '' }, 'steady', { listenerOwner: async () => 'foreign' });
    expect(await until('a fact', () => facts[0])).toMatchObject({
      type: 'health.passed',
      load: { slotsTotal: null, slotsFree: null, inFlight: null },
    });
  });
});

describe('Engines that fail together', () => {
  const suspected = ({ said }: Probing): readonly boolean[] =>
    said('health.failed').map((fact) => fact.type === 'health.failed' && fact.hostSuspected);

  it('make their host suspected, until too few of them fail alike', async () => {
    const suspicion = suspectHost();
    const houses = [llama(), llama(), llama()];
    const probes: Probing[] = [];
    for (const { listener } of houses) probes.push(probing(runAt((await httpEngine(listener)).port), 'steady', { suspicion }));
    const [first, second, third] = probes as [Probing, Probing, Probing];
    await until('samples of all', () => probes.every(({ said }) => said('engine.sampled').length >= 3));
    const [one, two] = [houses[0]?.state, houses[1]?.state];
    Object.assign(one ?? {}, { health: 500 });
    await until('failures of one', () => first.said('health.failed').length >= 3);
    expect(suspected(first)).not.toContain(true);
    Object.assign(two ?? {}, { slotsHang: true });
    await until('a failure of another kind', () => second.said('health.failed').length >= 1);
    expect(suspected(second)).not.toContain(true);
    Object.assign(two ?? {}, { slotsHang: false, health: 500 });
    await until('the host to be suspected by both', () => suspected(first).at(-1) && suspected(second).at(-1));
    second.stop();
    await until('it to be suspected no more', () => suspected(first).at(-1) === false);
    expect(third.said('health.failed')).toEqual([]);
  });

  it('say nothing of their host while they have yet to load', async () => {
    const suspicion = suspectHost();
    const loading = [llama(), llama()];
    for (const { state, listener } of loading) {
      state.loading = true;
      probing(runAt((await httpEngine(listener)).port), 'loading', { suspicion });
    }
    const failing = llama();
    failing.state.health = 500;
    const probe = probing(runAt((await httpEngine(failing.listener)).port), 'steady', { suspicion });
    await until('failures', () => probe.said('health.failed').length >= 3);
    expect(loading.every(({ state }) => state.asked.length > 3)).toBe(true);
    expect(suspected(probe)).not.toContain(true);
  });
});

describe('An engine that empties', () => {
  it('has its first reading said whatever it is, queue included, then every change', async () => {
    const { state, listener } = llama();
    const engine = await httpEngine(listener);
    const { said, pace } = probing(runAt(engine.port, { health: { ...health, interval_ms: 60_000 } }), 'steady');
    await until('the first pass', () => said('health.passed').length === 1);
    state.deferred = 1;
    pace('emptying');
    await until('the first reading', () => said('engine.loadChanged').length === 1);
    state.deferred = 0;
    await until('an empty engine', () => said('engine.loadChanged').length === 2);
    pace('emptying');
    await until('it again, asked anew', () => said('engine.loadChanged').length === 3);
    expect(said('engine.loadChanged').map((fact) => fact.type === 'engine.loadChanged' && fact.load.inFlight)).toEqual([1, 0, 0]);
  });

  it('passes twice aloud again, since the pool may have had another use for the passes before', async () => {
    const engine = await httpEngine(llama().listener);
    const { said, pace } = probing(runAt(engine.port), 'steady');
    await until('two passes, and more', () => said('engine.sampled').length > 3);
    pace('emptying');
    await until('two more', () => said('health.passed').length === 4);
  });

  it('is not empty for a moment between two requests', async () => {
    const { state, listener } = llama();
    const engine = await httpEngine(listener);
    const { said, pace } = probing(runAt(engine.port), 'steady');
    await until('the first pass', () => said('health.passed').length > 0);
    state.idleAnswers = 2;
    pace('emptying');
    await until('work', () => said('engine.loadChanged').length > 0);
    const begun = performance.now();
    state.busy = 0;
    await until('an engine that stays empty', () => said('engine.loadChanged').length > 1);
    expect(performance.now() - begun).toBeGreaterThan(250);
    expect(said('engine.loadChanged').map((fact) => fact.type === 'engine.loadChanged' && fact.load.inFlight)).toEqual([1, 0]);
  });

  it('is asked anew at once, also while a probe hangs', async () => {
    const { state, listener } = llama();
    state.slotsHang = true;
    const engine = await httpEngine(listener);
    const { said, pace } = probing(runAt(engine.port, { health: { ...health, progress_timeout_ms: 60_000 } }), 'steady');
    await until('a hanging probe', () => state.asked.includes('/slots'));
    state.slotsHang = false;
    pace('emptying');
    await until('the reading', () => said('engine.loadChanged').length === 1);
    expect(said('health.failed')).toEqual([]);
  });
});

it('Stopping the probe ends its requests and says no more', async () => {
  const { state, listener } = llama();
  const engine = await httpEngine(listener);
  const { facts, stop } = probing(runAt(engine.port), 'steady');
  await until('facts', () => facts.length > 2);
  stop();
  const [said, asked] = [facts.length, state.asked.length];
  const { said: other } = probing(runAt((await httpEngine(llama().listener)).port), 'steady');
  await until('another engine to be probed', () => other('engine.sampled').length > 3);
  expect(facts).toHaveLength(said);
  expect(state.asked.length).toBeLessThanOrEqual(asked + 1);
});

const engines: readonly (readonly [string, () => Promise<string | null>, Readonly<Record<string, string>>])[] = [
  ['real llama-server', async () => realEngine, {}],
  ['stub', async () => writeStubExecutable(await temporaryDir()), { STUB_LOAD_MS: '50', STUB_TOKENS_PER_SECOND: '20' }],
];

describe.skipIf(tinyModel === null).each(engines)('The %s', (name, executable, env) => {
  it.skipIf(name !== 'stub' && realEngine === null)('loads silently, passes, is seen working and is seen empty', async () => {
    const engine = await startEngine((await executable()) ?? '', tinyModel ?? '', { slots: 2, ctx: 2048, env, health });
    const { said, facts, pace } = probing(engine.run, 'loading');
    await until('the first pass', () => facts[0], 10_000);
    expect(facts[0]).toMatchObject({ type: 'health.passed', load: { slotsTotal: 2, slotsFree: 2, inFlight: 0 } });
    pace('steady');
    const left = new AbortController();
    const work = [1, 2, 3].map(() =>
      fetch(`${engine.run.endpoint}/completion`, {
        method: 'POST',
        body: JSON.stringify({ prompt: 'a', n_predict: 100_000, ignore_eos: true, stream: true }),
        signal: left.signal,
      }).then((response) => response.text()),
    );
    const ended = Promise.allSettled(work);
    await until('both slots at work', () =>
      facts.some((fact) => (fact.type === 'engine.loadChanged' || fact.type === 'health.passed') && fact.load.slotsFree === 0),
    );
    pace('emptying');
    left.abort();
    await ended;
    await until('an empty engine', () => facts.findLast((fact) => fact.type === 'engine.loadChanged')?.load.inFlight === 0, 10_000);
    expect(said('health.failed')).toEqual([]);
  });
});
