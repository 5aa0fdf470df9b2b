/**
 * llama-server (llama.cpp). What to run, what to ask it and what its answers mean; the parts are in `llamacpp/`.
 *
 * Its `/health` is answered beside the work loop and proves only that the process lives; `/slots` goes through the loop.
 */
import type { Cause } from '../machines/vocabulary.ts';
import type { Answer, EngineAdapter } from './adapter.ts';
import { classify } from './exit-reasons.ts';
import { exitRows } from './llamacpp/exits.ts';
import { parseFlags, parseVersion } from './llamacpp/parse-help.ts';
import { plan } from './llamacpp/plan.ts';
import { residency } from './llamacpp/residency.ts';
import { parseDevices, serveTiny } from './llamacpp/self-test.ts';
import { readLoad, readMovement, slotsAsk } from './llamacpp/slots.ts';

export const llamacpp: EngineAdapter = {
  name: 'llamacpp',
  executables: ['llama-server'],
  version: { argv: ['--version'], parse: parseVersion },
  help: { argv: ['--help'], parseFlags },
  selfTest: { devices: { argv: ['--list-devices'], parse: parseDevices }, serve: serveTiny },
  build: {
    target: 'llama-server',
    // It is given files, and fetches none.
    flags: ['-DLLAMA_CURL=OFF'],
    cudaFlags: (architectures) => [
      '-DGGML_CUDA=ON',
      ...(architectures.length === 0 ? [] : [`-DCMAKE_CUDA_ARCHITECTURES=${architectures.join(';')}`]),
    ],
  },
  known: { repo: 'https://github.com/ggml-org/llama.cpp' },
  plan,
  liveness: { ask: () => ({ method: 'GET', path: '/health' }), read: readHealth },
  progress: {
    asks: (_spec, emptying, soFar) => slotsAsk(emptying, soFar),
    read: (_spec, answers) => readLoad(answers),
    movement: readMovement,
  },
  token: {
    ask: () => ({ method: 'POST', path: '/completion', body: JSON.stringify({ prompt: 'a', n_predict: 1, cache_prompt: false }) }),
    read: readToken,
  },
  residency: (log) => residency(log),
  classifyExit: (exit, tail) => classify(exitRows, exit, tail),
  stopSignal: 'SIGTERM',
};

/** While the model loads every path answers 503 `Loading model`. */
function readHealth({ status, text }: Answer): 'ok' | 'loading' | 'error' {
  if (status === 200) return 'ok';
  return status === 503 && /loading model/i.test(text) ? 'loading' : 'error';
}

function readToken({ status, text }: Answer): true | Cause {
  const made = status === 200 ? /"tokens_predicted":\s*(\d+)/.exec(text)?.[1] : undefined;
  if (made !== undefined && Number(made) >= 1) return true;
  return {
    code: 'health_failed',
    message: `expected one generated token from /completion, found ${status} ${JSON.stringify(text.slice(0, 160))}`,
  };
}
