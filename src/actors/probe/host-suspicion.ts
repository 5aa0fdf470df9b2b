/**
 * Whether the host is more likely at fault than the engines: at least half of those that are watched, and at least two, failed
 * their latest probe in the same way. One for all probes of a daemon. Remembers the latest outcome of each; asks nobody.
 *
 * What an engine shows of itself, a stranger on its port or work that stands still, speaks against nobody else.
 */
import type { ProbeOutcome, RunRecord } from '../../machines/vocabulary.ts';

export interface HostSuspicion {
  /** `end`: no longer watched. */
  watch(run: RunRecord): { note(outcome: ProbeOutcome, mono: number): Suspected; end(): void };
}

/** The outcome just noted is shared by so many that the host is suspected. */
type Suspected = boolean;

interface Latest {
  readonly outcome: ProbeOutcome;
  readonly mono: number;
  /** How long it stands until another must have come. */
  readonly roundMs: number;
}

const leastAlike = 2;
const leastShare = 0.5;
const shared: ReadonlySet<ProbeOutcome> = new Set(['timeout', 'refused', 'error']);

export const suspectHost = (): HostSuspicion => {
  const watched = new Map<symbol, Latest>();
  return {
    watch: ({ spec: { health } }) => {
      const own = Symbol();
      const roundMs = health.interval_ms + health.timeout_ms + health.progress_timeout_ms;
      return {
        note: (outcome, mono) => {
          watched.set(own, { outcome, mono, roundMs });
          return shared.has(outcome) && areMost([...watched.values()], outcome, mono);
        },
        end: () => void watched.delete(own),
      };
    },
  };
};

const areMost = (watched: readonly Latest[], outcome: ProbeOutcome, mono: number): boolean => {
  const alike = watched.filter((one) => one.outcome === outcome && mono - one.mono <= one.roundMs).length;
  return alike >= leastAlike && alike >= leastShare * watched.length;
};
