/**
 * vLLM. What to run, what to ask it and what its answers mean; the parts are in `vllm/`.
 *
 * While it loads its port is bound and nobody listens. `/health` says 503 when its core is dead, and 200 also when that hangs.
 */
import type { Answer, EngineAdapter } from './adapter.ts';
import { classify } from './exit-reasons.ts';
import { vllmExitRows } from './exits/vllm.ts';
import { measuredResidency, type Wordings } from './measured-residency.ts';
import { completionAsk, readCompletion } from './openai.ts';
import { parseOptions } from './parse-options.ts';
import { metricsAsk, readLoad, readMovement } from './vllm/metrics.ts';
import { plan } from './vllm/plan.ts';

/** It imports PyTorch first. */
const askWithinMs = 120_000;

/** It takes a handful, and keeps ten for each group of processes itself. */
const sidePorts = 10;

/** gpu_model_runner.py and gpu_worker.py, kv_cache_utils.py. */
const wordings: Wordings = {
  weights: /[Ll]oading (?:model )?(?:weights )?took ([\d.]+) (?:GiB|GB)/,
  cache: /GPU KV cache size: [\d,]+ tokens|Available KV cache memory: [\d.]+ GiB|# (?:GPU|CUDA) blocks: [1-9]/,
  violation: /Total CPU offloaded parameters|OffloadingConnector|LMCacheConnector|KV offloading/,
};

export const vllm: EngineAdapter = {
  name: 'vllm',
  executables: ['vllm'],
  version: { argv: ['--version'], parse: (output) => /^(?:vllm\s+)?v?(\d+\.\d+\S*)\s*$/m.exec(output)?.[1] ?? null },
  help: { argv: ['serve', '--help=all'], parseFlags: parseOptions },
  askWithinMs,
  sidePorts,
  known: { package: 'vllm' },
  plan,
  liveness: { ask: () => ({ method: 'GET', path: '/health' }), read: readHealth },
  progress: { asks: metricsAsk, read: readLoad, movement: readMovement },
  token: { ask: completionAsk, read: readCompletion },
  residency: (log, run) => measuredResidency(log, run, wordings),
  classifyExit: (exit, tail) => classify(vllmExitRows, exit, tail),
  stopSignal: 'SIGTERM',
};

/** It never says that it loads: until it is ready nobody answers. */
function readHealth({ status }: Answer): 'ok' | 'error' {
  return status === 200 ? 'ok' : 'error';
}
