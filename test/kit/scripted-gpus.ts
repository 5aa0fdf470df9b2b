/** A GpuSource whose answers the test gives, one by one or by a rule, and which tells how often and how it was asked. */
import { stamp } from '../../src/clock.ts';
import type { GpuSource } from '../../src/gpu/source.ts';
import type { Cause, GpuFact, Inventory } from '../../src/machines/vocabulary.ts';
import { inventoryOf } from './gpu-facts.ts';

export interface ScriptedGpus {
  readonly source: GpuSource;
  /** What the next reads say, until told otherwise. */
  say(answer: readonly GpuFact[] | Cause | (() => readonly GpuFact[] | Cause)): void;
  /** Reads hang until let go. */
  hold(): () => void;
  readonly reads: { count: number; outstanding: number; mostOutstanding: number };
}

export const scriptedGpus = (): ScriptedGpus => {
  let answer: () => readonly GpuFact[] | Cause = () => [];
  let gate: Promise<void> = Promise.resolve();
  const reads = { count: 0, outstanding: 0, mostOutstanding: 0 };
  const read = async (): Promise<Inventory | Cause> => {
    reads.count += 1;
    reads.outstanding += 1;
    reads.mostOutstanding = Math.max(reads.mostOutstanding, reads.outstanding);
    await gate;
    reads.outstanding -= 1;
    const said = answer();
    return 'code' in said ? said : { ...inventoryOf(...said), ...stamp() };
  };
  return {
    source: { name: 'nvidia-smi', read, close: () => {} },
    say: (next) => {
      answer = typeof next === 'function' ? next : () => next;
    },
    hold: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = promise;
      return resolve;
    },
    reads,
  };
};
