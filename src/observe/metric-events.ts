/**
 * Counters and durations out of observations: what happened, how often, how long it took.
 *
 * Decides which change of state counts as what; keeps only when each actor entered what it is timing. Durations are
 * monotonic. A phase is timed only when it went on to the next one: failures would make starts look fast.
 */

import type { NameOf } from './metric-definitions.ts';
import { outcomesOf } from './metric-outcomes.ts';
import type { Observation } from './observe.ts';

export interface Meters {
  count(name: NameOf<'counter'>, labels: Readonly<Record<string, string>>): void;
  time(name: NameOf<'histogram'>, labels: Readonly<Record<string, string>>, seconds: number): void;
}

type Phase = 'provision' | 'admit' | 'spawn' | 'load' | 'prove';
const phases: readonly Phase[] = ['provision', 'admit', 'spawn', 'load', 'prove'];

interface Clocks {
  phase: { readonly name: Phase; readonly since: number } | null;
  /** When the start began; null after an adoption, which starts nothing. */
  start: number | null;
  drain: number | null;
  release: number | null;
}

export const createEventMeter = (meters: Meters): ((seen: Observation) => void) => {
  const clocks = new Map<string, Clocks>();
  return (seen) => {
    for (const { name, labels } of outcomesOf(seen)) meters.count(name, labels);
    if (seen.machine !== 'pool' || seen.poolId === null) return;
    if (seen.changed) {
      const clock = clocks.get(seen.actorId) ?? { phase: null, start: null, drain: null, release: null };
      clocks.set(seen.actorId, clock);
      timeStart(meters, seen, seen.poolId, clock);
      timeDrain(meters, seen, seen.poolId, clock);
    }
    if (seen.failed || seen.snapshot.status !== 'active') clocks.delete(seen.actorId);
  };
};

const timeStart = (meters: Meters, { from, to, mono }: Observation, pool_id: string, clock: Clocks): void => {
  const [before, now] = [phaseOf(from), phaseOf(to)];
  if (before === now) return;
  const isReady = to.startsWith('ready');
  if (clock.phase !== null && (isReady || (now !== null && phases.indexOf(now) > phases.indexOf(clock.phase.name))))
    meters.time('pool_start_duration_seconds', { pool_id, phase: clock.phase.name }, (mono - clock.phase.since) / 1000);
  if (isReady && clock.start !== null) meters.time('pool_start_duration_seconds', { pool_id, phase: 'total' }, (mono - clock.start) / 1000);
  clock.phase = now === null ? null : { name: now, since: mono };
  if (now === 'provision') clock.start = mono;
  else if (now === null) clock.start = null;
};

/** The phase of a start that a state is in. */
export const phaseOf = (path: string): Phase | null => {
  const [state, child] = path.split('.');
  if (state === 'provisioning') return 'provision';
  if (state !== 'starting') return null;
  switch (child) {
    case 'admitting':
      return 'admit';
    case 'spawning':
      return 'spawn';
    case 'loading':
      return 'load';
    case 'proving':
      return 'prove';
    default:
      return null;
  }
};

const timeDrain = (meters: Meters, { from, to, mono }: Observation, pool_id: string, clock: Clocks): void => {
  const [was, is] = [from.startsWith('draining'), to.startsWith('draining')];
  if (!was && is) clock.drain = mono;
  const hasReleased = from.startsWith('draining.releasing') && !is;
  if (hasReleased && clock.release !== null) meters.time('pool_vram_release_seconds', { pool_id }, (mono - clock.release) / 1000);
  if (to.startsWith('draining.releasing') && !from.startsWith('draining.releasing')) clock.release = mono;
  if (!was || is) return;
  const hasEngine = to.startsWith('ready');
  if (clock.drain !== null && !hasEngine) meters.time('pool_drain_duration_seconds', { pool_id }, (mono - clock.drain) / 1000);
  clock.drain = null;
  clock.release = null;
};
