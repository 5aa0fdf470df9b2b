/**
 * Whether an engine stands still: work is in it and nothing of it has moved for long, though every question is answered. Remembers
 * the last movement; asks nobody.
 *
 * Where an engine does not tell how far its work has come, nothing is concluded.
 */
import type { RunRecord } from '../../machines/vocabulary.ts';
import type { Probe } from './probe-once.ts';

/** One step of work may take as long as a probe of the work loop may; several of those without any step are a standstill. */
const steps = 4;

export interface Standstill {
  /** The probe as it is, or as `wedged` where work has stood still for too long. `mono`: now. */
  judge(probe: Probe, mono: number): Probe;
}

export const watchStandstill = ({ spec }: RunRecord): Standstill => {
  const limitMs = steps * spec.health.progress_timeout_ms;
  let seen: { readonly movement: string; readonly mono: number } | null = null;
  return {
    judge: (probe, mono) => {
      if (probe.kind !== 'passed' || probe.movement === null || probe.load.inFlight === null || probe.load.inFlight === 0) {
        // What cannot be asked at the moment may still stand where it stood.
        if (probe.kind === 'passed') seen = null;
        return probe;
      }
      if (seen?.movement !== probe.movement) seen = { movement: probe.movement, mono };
      const standingMs = mono - seen.mono;
      return standingMs < limitMs ? probe : wedged(probe.load.inFlight, standingMs);
    },
  };
};

const wedged = (inFlight: number, standingMs: number): Probe => ({
  kind: 'failed',
  outcome: 'wedged',
  cause: {
    code: 'wedged',
    message: `expected the ${inFlight} requests in the engine to get on, found no step of any for ${Math.round(standingMs / 1000)} s, though it answers`,
  },
});
