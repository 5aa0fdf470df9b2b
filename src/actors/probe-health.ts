/**
 * Asks one engine how it is, at the pace its pool sets, and tells the pool what is worth telling.
 *
 * One probe outstanding at any time. A new pace gives up the probe under way and asks at once. Undo: stops asking; the engine
 * is not touched.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { fromCallback } from 'xstate';
import { stamp } from '../clock.ts';
import { adapterFor } from '../engines/index.ts';
import type { ProbePace, poolActors } from '../machines/pool/actors.ts';
import type { ProbeOutcome, RunRecord } from '../machines/vocabulary.ts';
import { overOneLine } from './ask-engine.ts';
import type { PauseTogether } from './pause-together.ts';
import { keepCanary } from './probe/canary.ts';
import { watchEmptiness } from './probe/emptiness.ts';
import { probeEndpoint } from './probe/endpoint-of.ts';
import type { HostSuspicion } from './probe/host-suspicion.ts';
import { type Probe, type ProbeDeps, probeOnce } from './probe/probe-once.ts';
import { type ResidencyDeps, watchResidency } from './probe/residency.ts';
import { watchStandstill } from './probe/standstill.ts';
import { makeTeller } from './probe/tell.ts';

export interface ProbeHealthDeps extends ProbeDeps {
  /** What the engine's processes hold on its GPUs, as last seen; null: not known. */
  readonly vramUsedBytes: ((run: RunRecord) => number | null) | null;
  /** How to measure what its processes hold; null: it is not measured. */
  readonly residency: ResidencyDeps | null;
  /** One for all engines. */
  readonly suspicion: HostSuspicion;
  /** One for all engines; which is well is asked together with others that are. */
  readonly together: PauseTogether;
}

const firstLoadingMs = 15;
const lastLoadingMs = 250;
/** Between two probes of any that load: a hundred that load at once are not asked six thousand times a second. */
const loadingShareMs = 2;
const emptyingMs = 50;
/** A failing engine that empties is asked less often: each failure is a line in the journal. */
const emptyingFailedMs = 500;

export const probeHealth = (deps: ProbeHealthDeps): typeof poolActors.probeHealth => {
  /** Turns of engines that have yet to answer. */
  const loading = new Set<AbortSignal>();
  return fromCallback<{ type: 'probe.paced'; pace: ProbePace }, { readonly run: RunRecord; readonly pace: ProbePace }>(
    ({ sendBack, receive, input }) => {
      const { run } = input;
      const teller = makeTeller(() => deps.vramUsedBytes?.(run) ?? null);
      const watched = deps.suspicion.watch(run);
      const standstill = watchStandstill(run);
      const canary = keepCanary({ run, token: adapterFor(run.engine).token, readApiKey: deps.readApiKey });
      const residency = watchResidency(run, deps.residency);
      let turn = new AbortController();

      const ask = async (pace: ProbePace, signal: AbortSignal): Promise<void> => {
        const emptiness = watchEmptiness();
        for (let round = 0; !signal.aborted; round += 1) {
          const probe = await overOneLine(probeEndpoint(run), async (line) => {
            const answered = await probeOnce(run, deps, { emptying: pace === 'emptying', signal, line });
            return canary.judge(standstill.judge(answered, stamp().mono), line, signal);
          });
          if (signal.aborted) return;
          // One that has yet to load fails for nobody's fault.
          const hostSuspected = (pace !== 'loading' || teller.hasPassed()) && watched.note(outcomeOf(probe), stamp().mono);
          const told = pace !== 'emptying' || emptiness.isToldBy(probe, stamp().mono);
          for (const fact of told ? teller.tell(probe, pace, hostSuspected) : []) sendBack(fact);
          const violation = pace === 'steady' && probe.kind === 'passed' ? await residency.judge(stamp().mono) : null;
          if (signal.aborted) return;
          if (violation !== null) sendBack({ type: 'residency.violated', cause: violation, ...stamp() });
          const steady = pace === 'steady' && probe.kind === 'passed';
          if (teller.hasPassed()) loading.delete(signal);
          const isLoading = pace === 'loading' && !teller.hasPassed();
          const ms = isLoading ? whileLoading(round, loading.size) : pauseAfter(probe, pace, run);
          await (steady ? deps.together : pause)(ms, signal);
        }
      };

      const pace = (next: ProbePace): void => {
        endTurn();
        turn = new AbortController();
        teller.repaced();
        if (next === 'loading') loading.add(turn.signal);
        void ask(next, turn.signal);
      };
      const endTurn = (): void => {
        turn.abort();
        loading.delete(turn.signal);
      };

      receive((event) => pace(event.pace));
      pace(input.pace);
      return () => {
        endTurn();
        watched.end();
      };
    },
  );
};

const outcomeOf = (probe: Probe): ProbeOutcome => (probe.kind === 'loading' ? 'error' : probe.outcome);

/** Milliseconds from the end of one probe to the begin of the next, of an engine that has answered. */
const pauseAfter = (probe: Probe, pace: ProbePace, { spec }: RunRecord): number => {
  if (pace === 'emptying') return probe.kind === 'passed' ? emptyingMs : Math.min(emptyingFailedMs, spec.health.interval_ms);
  return spec.health.interval_ms;
};

/** The same of one that has yet to: `engines` of them, this one included. */
const whileLoading = (round: number, engines: number): number => {
  const alone = firstLoadingMs * 1.15 ** Math.max(0, round - 20);
  return Math.min(lastLoadingMs, Math.max(alone, loadingShareMs * engines));
};

const pause = (ms: number, signal: AbortSignal): Promise<void> => wait(ms, undefined, { signal }).catch(() => undefined);
