/**
 * The command line and environment of one text-generation-inference. Pure.
 *
 * On a real GPU it is refused: it says nothing of where weights and KV cache are, and this version measures no process's VRAM, so
 * that it could never be shown to be ready.
 */
import { isCause } from '../../cause.ts';
import type { Cause } from '../../machines/vocabulary.ts';
import type { LaunchInput, LaunchPlan } from '../adapter.ts';
import { environmentOf, pathBeside } from '../environment.ts';
import { chooseFlags, type Flag, must, should } from '../flags.ts';
import { fractionFor, graceSeconds, offline, specProblem } from '../tensor-parallel.ts';
import { isDeniedEnv, whyDenied } from './denied.ts';

const rules = { title: 'text-generation-inference', help: 'text-generation-launcher --help', whyDenied, isDeniedEnv };

const notProvable: Cause = {
  code: 'engine_incompatible',
  message:
    'expected an engine that tells where weights and KV cache are, found text-generation-inference, whose output says nothing of it: ' +
    'this version cannot prove that all is in VRAM, so it is not started on a real GPU; use llamacpp, vllm or sglang',
  details: { engine: 'tgi' },
};

export const plan = (input: LaunchInput): LaunchPlan | Cause => {
  const problem = specProblem(input, rules);
  if (problem !== null) return problem;
  return input.simulated ? planAnyway(input) : notProvable;
};

/** What it will be once its residency can be proven. */
export const planAnyway = (input: LaunchInput): LaunchPlan | Cause => {
  const fraction = fractionFor(input, ({ grantedBytes, overheadBytes }) => grantedBytes - overheadBytes);
  if (isCause(fraction)) return fraction;
  const chosen = chooseFlags([...serverFlags(input), ...memoryFlags(fraction.text), ...(input.simulated ? [] : deviceFlags(input))], input.engine);
  if (isCause(chosen)) return chosen;
  return {
    executable: input.engine.executable,
    argv: [...chosen.argv, ...input.spec.flags],
    // The launcher starts router and shards by their names.
    env: environmentOf(input, { PATH: pathBeside(input.engine.executable), ...offline }),
    ...(chosen.notes.length === 0 ? {} : { notes: chosen.notes }),
  };
};

const serverFlags = (input: LaunchInput): readonly Flag[] => [
  must('--model-id', input.model.path ?? ''),
  must('--hostname', input.spec.host),
  must('--port', String(input.port)),
  must('--max-concurrent-requests', String(input.spec.slots)),
  ...(input.spec.ctx === null
    ? []
    : [must('--max-input-tokens', String(Math.max(1, input.spec.ctx - 1))), must('--max-total-tokens', String(input.spec.ctx))]),
  // Two on one machine would meet at the defaults of these.
  must('--shard-uds-path', `/tmp/text-generation-server-${input.port}`),
  must('--master-port', String(sidePort(input.port))),
  should('--graceful-termination-timeout', graceSeconds(input)),
  should('--usage-stats', 'off'),
];

const memoryFlags = (fraction: string | null): readonly Flag[] => (fraction === null ? [] : [must('--cuda-memory-fraction', fraction)]);

const deviceFlags = ({ gpus }: LaunchInput): readonly Flag[] => [
  must('--num-shard', String(gpus.length)),
  must('--sharded', String(gpus.length > 1)),
];

/** Where its shards meet, on loopback: as far from its own as two ranges of leased ports are wide. */
const sidePort = (port: number): number => (port > 45_535 ? port - 20_000 : port + 20_000);
