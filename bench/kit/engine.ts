/** The engine that is measured with: a real llama-server and its tiny model where they are on the machine, else the stub. */
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isCause } from '../../src/cause.ts';
import { parsePoolSpec } from '../../src/config/pool-spec.ts';
import { writeStubExecutable } from '../../src/demo/stub-executable.ts';
import type { LaunchPlan } from '../../src/engines/adapter.ts';
import { adapterFor } from '../../src/engines/index.ts';
import type { PoolSpec } from '../../src/machines/vocabulary.ts';
import { realEngine, tinyModel } from '../../test/kit/llama-server.ts';
import type { House } from './house.ts';
import { freePort, start } from './processes.ts';
import { openWire } from './wire.ts';

export interface BenchEngine {
  readonly remark: string;
  /** One pool of it, as in the pools file; more keys as wanted. */
  pool(id: string, more?: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>;
  /** The same command line that the daemon would run, by hand. */
  startBare(house: House): Promise<BareEngine>;
}

export interface BareEngine {
  readonly child: ChildProcess;
  readonly port: number;
  /** Of `performance.now()`, right before it was started. */
  readonly startedAt: number;
}

const ctx = 512;
const slots = 2;

export const chooseEngine = async (house: House): Promise<BenchEngine> => {
  const real = realEngine !== null && tinyModel !== null ? { executable: realEngine, model: tinyModel } : null;
  const { executable, model } = real ?? { executable: await writeStubExecutable(join(house.dir, 'stub')), model: stubModel(house) };
  const pool: BenchEngine['pool'] = (id, more = {}) => ({
    id,
    engine: 'llamacpp',
    model,
    devices: [0],
    slots,
    ctx,
    provisioning: { mode: 'external', executable },
    ...(real !== null ? {} : { env: { STUB_LOAD_MS: '0' } }),
    ...more,
  });
  return {
    remark:
      real !== null ? 'Engine: a real llama-server with a tiny model, on the CPU.' : 'Engine: the stub, since no llama-server is on this machine.',
    pool,
    startBare: async (own) => {
      const port = await freePort();
      const { argv, env } = planOf(specOf(pool('bare')), executable, model, port);
      const startedAt = performance.now();
      return { child: start(own, executable, argv, { env, output: { file: join(own.dir, `bare-${port}.log`) } }), port, startedAt };
    },
  };
};

/** Asks without a pause until it is healthy, then for one token. Resolves with the moment of the token. */
export const untilToken = async (port: number, withinMs = 30_000): Promise<number> => {
  const wire = await untilHealthy(port, withinMs);
  const { status } = await wire.send('POST', '/completion', '{"prompt":"a","n_predict":1,"cache_prompt":false,"temperature":0}');
  wire.close();
  if (status !== 200) throw new Error(`expected one token, found status ${status}`);
  return performance.now();
};

/** The connection over which it first said 200. */
export const untilHealthy = async (port: number, withinMs = 30_000) => {
  const limit = performance.now() + withinMs;
  while (performance.now() < limit) {
    const wire = await openWire(port).catch(() => null);
    const answered = await wire?.send('GET', '/health').catch(() => null);
    if (wire != null && answered?.status === 200) return wire;
    wire?.close();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  throw new Error(`waited ${withinMs} ms for an engine on port ${port}`);
};

const stubModel = (house: House): string => {
  const path = join(house.dir, 'stub.gguf');
  writeFileSync(path, 'GGUF');
  return path;
};

const specOf = (declared: Readonly<Record<string, unknown>>): PoolSpec => {
  const parsed = parsePoolSpec(declared);
  if (!parsed.ok) throw new Error(`expected a pool, found ${JSON.stringify(parsed.mistakes)}`);
  return parsed.spec;
};

const planOf = (spec: PoolSpec, executable: string, model: string, port: number): LaunchPlan => {
  const adapter = adapterFor(spec.engine);
  const engine = { executable, version: null, knownFlags: null };
  const plan = adapter.plan({ spec, engine, model: { id: 'tiny', path: model, bytes: null }, gpus: [], simulated: true, port, vram: null });
  if (isCause(plan)) throw new Error(plan.message);
  return plan;
};
