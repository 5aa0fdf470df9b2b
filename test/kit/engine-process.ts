/** Runs an engine the way its adapter plans it, on a free port, and ends it with the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { isCause } from '../../src/cause.ts';
import { adapterFor } from '../../src/engines/index.ts';
import type { EngineExit, PoolSpec, RunRecord } from '../../src/machines/vocabulary.ts';
import { gpuRun, gpuSpec } from './gpu-facts.ts';

export interface EngineProcess {
  readonly run: RunRecord;
  readonly child: ChildProcess;
  readonly exited: Promise<EngineExit>;
  readonly log: () => readonly string[];
}

export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port'))));
    });
  });

export const temporaryDir = async (): Promise<string> => {
  const dir = await mkdtemp(join(tmpdir(), 'pool-managerd-test-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
};

export const startEngine = async (executable: string, modelPath: string, facts: Partial<PoolSpec> = {}): Promise<EngineProcess> => {
  const spec = gpuSpec(facts);
  const port = await freePort();
  const model = { id: 'tiny', path: modelPath, bytes: null };
  const adapter = adapterFor(spec.engine);
  const plan = adapter.plan({
    spec,
    engine: { executable, version: null, knownFlags: null },
    model,
    gpus: [{ index: 0, uuid: 'GPU-0' }],
    simulated: true,
    port,
  });
  if (isCause(plan)) throw new Error(plan.message);
  const logFile = join(await temporaryDir(), 'engine.log');
  const output = openSync(logFile, 'a');
  const child = spawn(plan.executable, plan.argv, { env: plan.env, stdio: ['ignore', output, output] });
  const exited = new Promise<EngineExit>((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  const run = gpuRun({ spec, port, endpoint: `http://127.0.0.1:${port}`, pid: child.pid ?? 0, model, logFile, simulated: true });
  return { run, child, exited, log: () => readFileSync(logFile, 'utf8').split('\n') };
};
