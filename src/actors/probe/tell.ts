/**
 * Which events a probe's result is worth: a steady engine is only sampled, a change is said. Remembers what was said last;
 * knows no clock, no network and no pace but the one it is told.
 */
import { assertNever } from '../../cause.ts';
import { stamp } from '../../clock.ts';
import type { EngineFact } from '../../machines/events.ts';
import type { ProbePace } from '../../machines/pool/actors.ts';
import type { Load } from '../../machines/vocabulary.ts';
import type { Probe } from './probe-once.ts';

/** Two in a row bring a failed engine back; the pool needs no more of them. */
const passesSaid = 2;

export interface Teller {
  readonly hasPassed: () => boolean;
  /** The next readings are said whatever they are: whoever heard those before may have had another use for them. */
  readonly repaced: () => void;
  readonly tell: (probe: Probe, pace: ProbePace, hostSuspected: boolean) => readonly EngineFact[];
}

export const makeTeller = (vramUsedBytes: () => number | null): Teller => {
  let passes = 0;
  let everPassed = false;
  let said: string | null = null;

  const pass = (probe: Extract<Probe, { kind: 'passed' }>, pace: ProbePace): readonly EngineFact[] => {
    const { outcome, load } = probe;
    const changed = said !== spell(load);
    const sayPass = passes < passesSaid;
    passes += 1;
    everPassed = true;
    said = spell(load);
    const facts: EngineFact[] = [];
    if (sayPass) facts.push({ type: 'health.passed', outcome, load, ...stamp() });
    // While a pool empties only loadChanged counts, so it is never swallowed by a pass that carried the same load.
    if (changed && (!sayPass || pace === 'emptying')) facts.push({ type: 'engine.loadChanged', load, ...stamp() });
    if (pace !== 'emptying') facts.push({ type: 'engine.sampled', outcome, load, vramUsedBytes: vramUsedBytes(), ...stamp() });
    return facts;
  };

  return {
    hasPassed: () => everPassed,
    repaced: () => {
      said = null;
      passes = 0;
    },
    tell: (probe, pace, hostSuspected) => {
      switch (probe.kind) {
        case 'passed':
          return pass(probe, pace);
        case 'loading':
        case 'failed': {
          passes = 0;
          const quiet = pace === 'loading' && !everPassed && !(probe.kind === 'failed' && probe.outcome === 'foreign');
          return quiet ? [] : [fail(probe, hostSuspected)];
        }
        default:
          return assertNever(probe);
      }
    },
  };
};

const fail = (probe: Extract<Probe, { kind: 'loading' | 'failed' }>, hostSuspected: boolean): EngineFact =>
  probe.kind === 'failed'
    ? { type: 'health.failed', outcome: probe.outcome, cause: probe.cause, hostSuspected, ...stamp() }
    : {
        type: 'health.failed',
        outcome: 'error',
        cause: { code: 'health_failed', message: 'expected a ready engine, found it loading again' },
        hostSuspected,
        ...stamp(),
      };

const spell = ({ slotsTotal, slotsFree, inFlight }: Load): string => JSON.stringify([slotsTotal, slotsFree, inFlight]);
