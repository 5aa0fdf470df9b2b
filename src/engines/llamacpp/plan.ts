/**
 * The command line and environment of one llama-server. Every flag that matters is explicit, because defaults drift and
 * several of them move weights or KV cache to host memory. Pure; what the pool's own flags may be is decided beside.
 */
import { isCause } from '../../cause.ts';
import type { Cause } from '../../machines/vocabulary.ts';
import type { LaunchInput, LaunchPlan } from '../adapter.ts';
import { deniedEnvProblem, environmentOf } from '../environment.ts';
import { chooseFlags, type Flag, must, should } from '../flags.ts';
import { userFlagsProblem } from '../user-flags.ts';
import { isDeniedEnv, whyDenied } from './denied.ts';

export const plan = (input: LaunchInput): LaunchPlan | Cause => {
  const problem = specProblem(input);
  if (problem !== null) return problem;
  const chosen = chooseFlags([...serverFlags(input), ...memoryFlags(), ...(input.simulated ? [] : deviceFlags(input))], input.engine);
  if (isCause(chosen)) return chosen;
  return {
    executable: input.engine.executable,
    argv: [...chosen.argv, ...input.spec.flags],
    env: environmentOf(input),
    ...(chosen.notes.length === 0 ? {} : { notes: chosen.notes }),
  };
};

const specProblem = ({ spec, engine, model }: LaunchInput): Cause | null => {
  if (model.path === null) return { code: 'model_missing', message: 'expected a model file for llama-server, found none; set `model`' };
  if (model.path.startsWith('-'))
    return { code: 'invalid_spec', message: `expected a path, found ${JSON.stringify(model.path)}, which reads as a flag` };
  return deniedEnvProblem(spec.env, isDeniedEnv) ?? userFlagsProblem(spec.flags, engine.knownFlags, { whyDenied, help: 'llama-server --help' });
};

const serverFlags = ({ spec, model, port }: LaunchInput): readonly Flag[] => [
  must('-m', model.path ?? ''),
  must('--host', spec.host),
  must('--port', String(port)),
  must('-np', String(spec.slots)),
  ...(spec.ctx === null ? [] : [must('-c', String(spec.ctx * spec.slots))]),
  should('--metrics'),
  // Buffer and offload lines, the evidence of residency, appear from here on.
  should('-lv', '4'),
  ...(spec.api_key_file === null ? [] : [must('--api-key-file', spec.api_key_file)]),
];

/** Off: shrinking to fit, KV copies in host memory, weights read on demand. */
const memoryFlags = (): readonly Flag[] => [
  should('-fit', 'off'),
  should('-kvo'),
  should('-cram', '0'),
  should('--no-cache-idle-slots'),
  should('-ctxcp', '0'),
  should('--lazy-mode', 'off'),
];

/** An unknown `-dev` is a fatal error of llama-server, so it can never run on the CPU unseen. */
const deviceFlags = ({ spec, gpus }: LaunchInput): readonly Flag[] => [
  must('-ngl', 'all'),
  must('-dev', gpus.map((_, index) => `CUDA${index}`).join(',')),
  ...(gpus.length === 1 ? [must('-sm', 'none')] : [must('-sm', 'layer')]),
  must('-mg', '0'),
  ...(gpus.length > 1 && spec.tensor_split !== null ? [must('-ts', spec.tensor_split.join(','))] : []),
];
