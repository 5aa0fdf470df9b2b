/** How this program starts itself once more: as the executable with Node inside, or as a script of the Node that runs it. */
import { getRawAsset, isSea } from 'node:sea';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

/** Commands of the executable that are for no person. */
export const stubEngineCommand = 'stub-llama-server';
export const nvmlProbeCommand = 'nvml-probe';

/** A command of `pool-managerd`: program and arguments. */
export const ownCommand = (...args: readonly string[]): readonly [program: string, args: readonly string[]] =>
  isSea() ? [process.execPath, args] : [process.execPath, [fileURLToPath(new URL('../../bin/pool-managerd.js', import.meta.url)), ...args]];

/** The stub engine: program and first arguments. */
export const ownStubEngine = (): readonly string[] =>
  isSea() ? [process.execPath, stubEngineCommand] : [process.execPath, fileURLToPath(new URL('../demo/stub-llama-server.ts', import.meta.url))];

/** What the executable calls the script of a thread. */
export const threadAsset = 'provisioning-worker.mjs';

/** A thread that provisions. Inside the executable its script has no file and is complete in itself. */
export const startThread = (workerData: unknown): Worker =>
  isSea()
    ? new Worker(new TextDecoder().decode(getRawAsset(threadAsset)), { eval: true, workerData })
    : new Worker(new URL('../provisioning/jobs/worker.ts', import.meta.url), { workerData });
