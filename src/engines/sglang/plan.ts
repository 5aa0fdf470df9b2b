/**
 * The command line and environment of one SGLang. Its fraction is of what is free when it starts, for weights and KV cache alone.
 *
 * It is computed of the card's total: on a card that others share it takes less than it was granted, never more. Pure.
 */
import { isCause } from '../../cause.ts';
import type { Cause } from '../../machines/vocabulary.ts';
import type { LaunchInput, LaunchPlan } from '../adapter.ts';
import { environmentOf, pathBeside } from '../environment.ts';
import { chooseFlags, type Flag, must, should } from '../flags.ts';
import { fractionFor, offline, specProblem } from '../tensor-parallel.ts';
import { isDeniedEnv, whyDenied } from './denied.ts';

const rules = { title: 'SGLang', help: 'sglang serve --help', whyDenied, isDeniedEnv };

export const plan = (input: LaunchInput): LaunchPlan | Cause => {
  const problem = specProblem(input, rules);
  if (problem !== null) return problem;
  const fraction = fractionFor(input, ({ grantedBytes, overheadBytes, computeBytes }) => grantedBytes - overheadBytes - computeBytes);
  if (isCause(fraction)) return fraction;
  const chosen = chooseFlags([...serverFlags(input), ...memoryFlags(fraction.text), ...(input.simulated ? [] : deviceFlags(input))], input.engine);
  if (isCause(chosen)) return chosen;
  return {
    executable: input.engine.executable,
    argv: ['serve', ...chosen.argv, ...input.spec.flags],
    env: environmentOf(input, { PATH: pathBeside(input.engine.executable), ...offline, ...patience }),
    ...(chosen.notes.length === 0 ? {} : { notes: chosen.notes }),
  };
};

/** Seconds. A kernel that is compiled at its first use takes longer than the default of 20, and would count as a dead engine. */
const patience = { SGLANG_HEALTH_CHECK_TIMEOUT: '120' } as const;

const serverFlags = ({ spec, model, port, sidePort }: LaunchInput): readonly Flag[] => [
  must('--model-path', model.path ?? ''),
  must('--served-model-name', model.id),
  must('--host', spec.host),
  must('--port', String(port)),
  ...(sidePort == null ? [] : [should('--nccl-port', String(sidePort))]),
  must('--max-running-requests', String(spec.slots)),
  ...(spec.ctx === null ? [] : [must('--context-length', String(spec.ctx))]),
  should('--enable-metrics'),
];

const memoryFlags = (fraction: string | null): readonly Flag[] => [
  ...(fraction === null ? [] : [must('--mem-fraction-static', fraction)]),
  should('--cpu-offload-gb', '0'),
];

const deviceFlags = ({ gpus }: LaunchInput): readonly Flag[] => [
  must('--device', 'cuda'),
  must('--base-gpu-id', '0'),
  must('--tp-size', String(gpus.length)),
];
