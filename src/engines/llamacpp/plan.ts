/**
 * The command line and environment of one llama-server. Every flag that matters is explicit, because defaults drift and
 * several of them move weights or KV cache to host memory. Pure; what the pool's own flags may be is decided beside.
 */
import { homedir } from 'node:os';
import { isCause } from '../../cause.ts';
import type { Cause } from '../../machines/vocabulary.ts';
import type { LaunchInput, LaunchPlan } from '../adapter.ts';
import { isDeniedEnv } from './denied.ts';
import { userFlagsProblem } from './user-flags.ts';

interface Flag {
  /** The spelling passed, which is also the one looked for in `--help`. */
  readonly words: readonly string[];
  /** What its absence means: refuse, note, or nothing. */
  readonly absent: 'refuse' | 'note' | 'fine';
}

const must = (...words: string[]): Flag => ({ words, absent: 'refuse' });
const should = (...words: string[]): Flag => ({ words, absent: 'note' });

export const plan = (input: LaunchInput): LaunchPlan | Cause => {
  const problem = specProblem(input);
  if (problem !== null) return problem;
  const chosen = choose([...serverFlags(input), ...memoryFlags(), ...(input.simulated ? [] : deviceFlags(input))], input);
  if (isCause(chosen)) return chosen;
  return {
    executable: input.engine.executable,
    argv: [...chosen.argv, ...input.spec.flags],
    env: environment(input),
    ...(chosen.notes.length === 0 ? {} : { notes: chosen.notes }),
  };
};

const specProblem = ({ spec, engine, model }: LaunchInput): Cause | null => {
  if (model.path === null) return { code: 'model_missing', message: 'expected a model file for llama-server, found none; set `model`' };
  if (model.path.startsWith('-'))
    return { code: 'invalid_spec', message: `expected a path, found ${JSON.stringify(model.path)}, which reads as a flag` };
  const variable = Object.keys(spec.env).find(isDeniedEnv);
  if (variable !== undefined) {
    return {
      code: 'invalid_spec',
      message: `env ${variable}: not allowed, it changes where the engine runs or keeps its memory; remove it from \`env\``,
    };
  }
  return userFlagsProblem(spec.flags, engine.knownFlags);
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

const choose = (flags: readonly Flag[], { engine }: LaunchInput): { readonly argv: readonly string[]; readonly notes: readonly string[] } | Cause => {
  const known = engine.knownFlags === null ? null : new Set(engine.knownFlags);
  const argv: string[] = [];
  const notes: string[] = [];
  for (const { words, absent } of flags) {
    const [name = ''] = words;
    if (known === null || known.has(name)) argv.push(...words);
    else if (absent === 'refuse') return incompatible(name, engine.executable);
    else if (absent === 'note') notes.push(`this llama-server does not know ${name}; it was not passed`);
  }
  return { argv, notes };
};

const incompatible = (flag: string, executable: string): Cause => ({
  code: 'engine_incompatible',
  message: `expected a llama-server that knows ${flag}, found ${executable} without it; install another version`,
  details: { flag },
});

/** From zero: nothing of the daemon's environment reaches an engine. HOME is where CUDA keeps its kernel cache. */
const environment = ({ spec, gpus, simulated }: LaunchInput): Readonly<Record<string, string>> => ({
  PATH: '/usr/local/bin:/usr/bin:/bin',
  HOME: homedir(),
  LANG: 'C.UTF-8',
  ...spec.env,
  ...(simulated ? {} : { CUDA_VISIBLE_DEVICES: gpus.map((gpu) => gpu.uuid).join(','), CUDA_DEVICE_ORDER: 'PCI_BUS_ID' }),
});
