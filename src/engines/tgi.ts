/**
 * text-generation-inference. What to run, what to ask it and what its answers mean; the parts are in `tgi/`.
 *
 * Its router begins to listen when the shards are ready. `/health` lets each shard allocate on its GPU: 503 when one cannot.
 */
import type { Answer, EngineAdapter } from './adapter.ts';
import { classify } from './exit-reasons.ts';
import { tgiExitRows } from './exits/tgi.ts';
import { completionAsk, readCompletion } from './openai.ts';
import { parseOptions } from './parse-options.ts';
import { metricsAsk, readLoad, readMovement } from './tgi/metrics.ts';
import { plan } from './tgi/plan.ts';

export const tgi: EngineAdapter = {
  name: 'tgi',
  executables: ['text-generation-launcher'],
  version: { argv: ['--version'], parse: (output) => /^text-generation-launcher\s+(\S+)/m.exec(output)?.[1] ?? null },
  help: { argv: ['--help'], parseFlags: parseOptions },
  plan,
  liveness: { ask: () => ({ method: 'GET', path: '/health' }), read: readHealth },
  progress: { asks: metricsAsk, read: readLoad, movement: readMovement },
  token: { ask: completionAsk, read: readCompletion },
  residency: () => ({ verdict: 'unproven', evidence: [] }),
  classifyExit: (exit, tail) => classify(tgiExitRows, exit, tail),
  stopSignal: 'SIGTERM',
};

/** It never says that it loads: until it is ready nobody answers. */
function readHealth({ status }: Answer): 'ok' | 'error' {
  return status === 200 ? 'ok' : 'error';
}
