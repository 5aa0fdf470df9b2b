/**
 * The command line and environment of one vLLM. Its fraction of each GPU is of the card's total and comes from what was granted; the
 * CUDA context and graphs lie outside of it. Pure.
 */
import { isCause } from '../../cause.ts';
import type { Cause, EnginePresent } from '../../machines/vocabulary.ts';
import type { LaunchInput, LaunchPlan } from '../adapter.ts';
import { environmentOf, pathBeside } from '../environment.ts';
import { chooseFlags, type Flag, must, should } from '../flags.ts';
import { fractionFor, graceSeconds, offline, specProblem } from '../tensor-parallel.ts';
import { isDeniedEnv, whyDenied } from './denied.ts';

const rules = { title: 'vLLM', help: 'vllm serve --help=all', whyDenied, isDeniedEnv };

export const plan = (input: LaunchInput): LaunchPlan | Cause => {
  const problem = specProblem(input, rules);
  if (problem !== null) return problem;
  const fraction = fractionFor(input, ({ grantedBytes, overheadBytes }) => grantedBytes - overheadBytes);
  if (isCause(fraction)) return fraction;
  const chosen = chooseFlags(
    [...serverFlags(input), ...memoryFlags(input, fraction.text), ...(input.simulated ? [] : deviceFlags(input))],
    input.engine,
  );
  if (isCause(chosen)) return chosen;
  return {
    executable: input.engine.executable,
    argv: ['serve', input.model.path ?? '', ...chosen.argv, ...input.spec.flags],
    env: environmentOf(input, { PATH: pathBeside(input.engine.executable), ...offline, VLLM_NO_USAGE_STATS: '1', ...sidePorts(input) }),
    ...(chosen.notes.length === 0 ? {} : { notes: chosen.notes }),
  };
};

/** Where it begins to look for free ports; two that begin at the same one at the same time meet there. */
const sidePorts = ({ sidePort }: LaunchInput): Readonly<Record<string, string>> => (sidePort == null ? {} : { VLLM_PORT: String(sidePort) });

const serverFlags = (input: LaunchInput): readonly Flag[] => [
  must('--served-model-name', input.model.id),
  must('--host', input.spec.host),
  must('--port', String(input.port)),
  must('--max-num-seqs', String(input.spec.slots)),
  ...(input.spec.ctx === null ? [] : [must('--max-model-len', String(input.spec.ctx))]),
  // Without it what is under way is cut off when it is told to stop.
  should('--shutdown-timeout', graceSeconds(input)),
  // Being asked how it is, every two seconds, would fill its log.
  should('--disable-uvicorn-access-log'),
];

const memoryFlags = ({ engine }: LaunchInput, fraction: string | null): readonly Flag[] => [
  ...(fraction === null ? [] : [must('--gpu-memory-utilization', fraction)]),
  should('--cpu-offload-gb', '0'),
  ...(hasSwapSpace(engine) ? [must('--swap-space', '0')] : []),
];

/** More than one GPU is served by processes of this machine, never by a cluster. */
const deviceFlags = ({ gpus }: LaunchInput): readonly Flag[] => [
  must('--tensor-parallel-size', String(gpus.length)),
  ...(gpus.length === 1 ? [] : [must('--distributed-executor-backend', 'mp')]),
];

/** Gone in 0.18.0, where naming it ends the start; before, its default keeps 4 GiB of KV cache in host memory. */
const lastWithSwapSpace = [0, 17, 1] as const;

const hasSwapSpace = ({ knownFlags, version }: EnginePresent): boolean =>
  knownFlags === null ? version !== null && atMost(version, lastWithSwapSpace) : knownFlags.includes('--swap-space');

const atMost = (version: string, limit: readonly number[]): boolean => {
  const parts = version.split('.').map((part) => Number.parseInt(part, 10));
  const differing = limit.findIndex((part, index) => parts[index] !== part);
  return differing === -1 || (parts[differing] ?? 0) < (limit[differing] ?? 0);
};
