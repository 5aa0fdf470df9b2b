/**
 * SGLang. What to run, what to ask it and what its answers mean; the parts are in `sglang/`.
 *
 * `/ping` is answered beside the scheduler and proves only that the process lives; `/health` goes through it and may take as long as
 * a step of work, so that it is asked as the progress probe.
 */
import type { Answer, EngineAdapter } from './adapter.ts';
import { classify } from './exit-reasons.ts';
import { sglangExitRows } from './exits/sglang.ts';
import { measuredResidency, type Wordings } from './measured-residency.ts';
import { completionAsk, readCompletion } from './openai.ts';
import { parseOptions } from './parse-options.ts';
import { plan } from './sglang/plan.ts';
import { progressAsk, readLoad, readMovement } from './sglang/progress.ts';

/** It imports PyTorch first. */
const askWithinMs = 120_000;

/** model_runner.py and memory_pool.py; its GB are 1024³ bytes. */
const wordings: Wordings = {
  weights: /Load weight end\..*mem usage=([\d.]+) GB/,
  cache: /KV Cache is allocated\./,
  violation: /host memory for hierarchical KV cache|[Oo]ffload(?:ing|ed)\b.*\bCPU\b|CPU offload(?:ing)? (?:is )?enabled/,
};

export const sglang: EngineAdapter = {
  name: 'sglang',
  executables: ['sglang'],
  version: { argv: ['version'], parse: (output) => /sglang version:\s*v?(\S+)/i.exec(output)?.[1] ?? null },
  help: { argv: ['serve', '--help'], parseFlags: parseOptions },
  askWithinMs,
  sidePorts: 1,
  known: { package: 'sglang' },
  plan,
  liveness: { ask: () => ({ method: 'GET', path: '/ping' }), read: readPing },
  progress: { asks: progressAsk, read: readLoad, movement: readMovement },
  token: { ask: completionAsk, read: readCompletion },
  residency: (log, run) => measuredResidency(log, run, wordings),
  classifyExit: (exit, tail) => classify(sglangExitRows, exit, tail),
  stopSignal: 'SIGTERM',
};

function readPing({ status }: Answer): 'ok' | 'loading' | 'error' {
  return status === 200 ? 'ok' : status === 503 ? 'loading' : 'error';
}
