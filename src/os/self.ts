/** How this program starts itself once more, in whatever form it runs. */
import { getRawAsset } from 'node:sea';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { form } from './form.ts';

/** Commands of the executable that are for no person. */
export const stubEngineCommand = 'stub-llama-server';
export const nvmlProbeCommand = 'nvml-probe';

/** What the built forms call the script of a thread. */
export const threadScript = 'provisioning-worker.js';
/** What the package calls the stub engine. */
export const stubScript = 'stub-llama-server.js';

/** A file of ours: by its path from here among the sources, from the script that asks in the package. */
const own = (inSources: string, inPackage: string): URL => new URL(form === 'package' ? inPackage : inSources, import.meta.url);

/** A command of `pool-managerd`: program and arguments. */
export const ownCommand = (...args: readonly string[]): readonly [program: string, args: readonly string[]] =>
  form === 'executable'
    ? [process.execPath, args]
    : [process.execPath, [fileURLToPath(own('../../bin/pool-managerd.js', '../bin/pool-managerd.js')), ...args]];

/** The stub engine: program and first arguments. */
export const ownStubEngine = (): readonly string[] =>
  form === 'executable'
    ? [process.execPath, stubEngineCommand]
    : [process.execPath, fileURLToPath(own('../demo/stub-llama-server.ts', `./${stubScript}`))];

/** A thread that provisions. Inside the executable its script has no file and is complete in itself. */
export const startThread = (workerData: unknown): Worker =>
  form === 'executable'
    ? new Worker(new TextDecoder().decode(getRawAsset(threadScript)), { eval: true, workerData })
    : new Worker(own('../provisioning/jobs/worker.ts', `./${threadScript}`), { workerData });
