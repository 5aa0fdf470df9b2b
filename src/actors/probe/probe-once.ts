/**
 * One probe of one engine: does it live, does its work loop move, how much work is there, and is the listener ours.
 *
 * Reports what it found; when to probe and what to say of it is probe-health's. Never rejects.
 */
import { causeOf, isCause } from '../../cause.ts';
import type { Answer, Ask, EngineAdapter } from '../../engines/adapter.ts';
import { adapterFor } from '../../engines/index.ts';
import type { Cause, Load, ProbeOutcome, RunRecord } from '../../machines/vocabulary.ts';
import { isStopped, readAlive } from '../../os/proc-stat.ts';
import type { Asked, EngineLine } from '../ask-engine.ts';
import { isAttached } from './endpoint-of.ts';

/** Who listens on the run's port. `none`: nobody. `unknown`: it cannot be told, as with an engine of another user. */
export type ListenerOwner = (run: RunRecord) => Promise<'ours' | 'foreign' | 'none' | 'unknown'>;

export interface ProbeDeps {
  readonly listenerOwner: ListenerOwner;
  /** The key of `api_key_file`; null where the pool has none. */
  readonly readApiKey: (run: RunRecord) => Promise<string | null>;
}

export interface ProbeRequest {
  /** Queued work is counted too. */
  readonly emptying: boolean;
  readonly signal: AbortSignal;
  /** To the run's endpoint. */
  readonly line: EngineLine;
}

export type Probe =
  | {
      readonly kind: 'passed';
      readonly outcome: 'ok' | 'busy';
      readonly load: Load;
      /** Changes whenever work in the engine gets anywhere; null: nothing tells. */
      readonly movement: string | null;
    }
  /** It answers that it is not ready yet. */
  | { readonly kind: 'loading' }
  | { readonly kind: 'failed'; readonly outcome: Exclude<ProbeOutcome, 'ok' | 'busy'>; readonly cause: Cause };

/** Bounds of an answer: llama-server tells about 3 kB of each slot. */
const leastAnswerBytes = 256 * 1024;
const bytesPerSlot = 8 * 1024;

const unknownLoad: Load = { slotsTotal: null, slotsFree: null, inFlight: null };

export const probeOnce = async (run: RunRecord, deps: ProbeDeps, { emptying, signal, line }: ProbeRequest): Promise<Probe> => {
  try {
    const adapter = adapterFor(run.engine);
    const asking: Asking = { run, adapter, line, signal, apiKey: await deps.readApiKey(run) };
    const alive = await askLiveness(asking);
    // Whoever answers, also a stranger that answers well, is asked for only where somebody listens at all.
    if (!isRefused(alive) && (await isForeign(run, deps))) return foreign(run);
    return alive === 'ok' ? await askProgress(asking, emptying) : alive;
  } catch (thrown) {
    return { kind: 'failed', outcome: 'error', cause: causeOf(thrown, 'health_failed') };
  }
};

interface Asking {
  readonly run: RunRecord;
  readonly adapter: EngineAdapter;
  readonly line: EngineLine;
  readonly apiKey: string | null;
  readonly signal: AbortSignal;
}

const askLiveness = async (asking: Asking): Promise<'ok' | Probe> => {
  const { run, adapter } = asking;
  const ask = adapter.liveness.ask(run.spec);
  const asked = await send(asking, ask, run.spec.health.timeout_ms);
  if (asked.kind !== 'answer') return unanswered(run, ask, asked, run.spec.health.timeout_ms, 'health.timeout_ms');
  const verdict = adapter.liveness.read(asked.answer);
  if (verdict === 'ok') return 'ok';
  return verdict === 'loading' ? { kind: 'loading' } : failed('error', `expected 200 from ${ask.path}, found ${summary(asked.answer)}`);
};

/** Slow is not dead: an engine in a long batch answers late, and within the limit that is a pass. */
const askProgress = async (asking: Asking, emptying: boolean): Promise<Probe> => {
  const { run, adapter } = asking;
  if (adapter.progress === null) return { kind: 'passed', outcome: 'ok', load: unknownLoad, movement: null };
  const { timeout_ms: slowMs, progress_timeout_ms: limitMs } = run.spec.health;
  const begun = performance.now();
  const answers: Answer[] = [];
  for (let ask = adapter.progress.asks(run.spec, emptying, answers); ask !== null; ask = adapter.progress.asks(run.spec, emptying, answers)) {
    const asked = await send(asking, ask, Math.max(1, limitMs - (performance.now() - begun)));
    if (asked.kind !== 'answer') return unanswered(run, ask, asked, limitMs, 'health.progress_timeout_ms');
    answers.push(asked.answer);
  }
  const outcome = performance.now() - begun > slowMs ? 'busy' : 'ok';
  const load = adapter.progress.read(run.spec, answers);
  if (!isCause(load)) return { kind: 'passed', outcome, load, movement: adapter.progress.movement(answers) };
  // Somebody else's engine may have its slots hidden; that it answered is what is asked of it.
  return isAttached(run) ? { kind: 'passed', outcome, load: unknownLoad, movement: null } : { kind: 'failed', outcome: 'error', cause: load };
};

const send = ({ run, line, apiKey, signal }: Asking, ask: Ask, deadlineMs: number): Promise<Asked> =>
  line.ask(ask, { deadlineMs, apiKey, signal, maxBytes: leastAnswerBytes + run.spec.slots * bytesPerSlot });

const unanswered = (run: RunRecord, ask: Ask, asked: Exclude<Asked, { kind: 'answer' }>, limitMs: number, setting: string): Probe => {
  if (asked.kind === 'timeout')
    return failed('timeout', `expected an answer from ${ask.path} within ${limitMs} ms (${setting}), found ${silenceOf(run)}`);
  if (asked.kind === 'refused') return failed('refused', `expected an answer from ${ask.path}, found nobody listening`);
  return failed('error', `expected an answer from ${ask.path}, found ${asked.message}`);
};

/** Somebody may have stopped it to look at it: a person should know that it is not the engine's doing. */
const silenceOf = (run: RunRecord): string => {
  const found = isAttached(run) ? null : readAlive(run);
  return found !== null && isStopped(found) ? `its process stopped (kill -CONT ${run.pid} lets it go on)` : 'none';
};

const failed = (outcome: Exclude<ProbeOutcome, 'ok' | 'busy'>, message: string): Probe => ({
  kind: 'failed',
  outcome,
  cause: { code: 'health_failed', message },
});

const isRefused = (probe: 'ok' | Probe): boolean => probe !== 'ok' && probe.kind === 'failed' && probe.outcome === 'refused';

const isForeign = async (run: RunRecord, deps: ProbeDeps): Promise<boolean> => !isAttached(run) && (await deps.listenerOwner(run)) === 'foreign';

const foreign = (run: RunRecord): Probe => ({
  kind: 'failed',
  outcome: 'foreign',
  cause: {
    code: 'port_conflict',
    message: `expected our engine (pid ${run.pid}) on port ${run.port}, found a listener of another process; free the port or set \`ports\``,
    details: { port: run.port },
  },
});

const summary = ({ status, text }: Answer): string => `${status} ${JSON.stringify(text.slice(0, 120))}`;
