/** Tells the pool that invoked an effect what provisioning is at and how far it is, with the rate of the last seconds. */
import type { AnyActorRef } from 'xstate';
import { stamp } from '../../clock.ts';
import type { PoolNotice } from '../../machines/events.ts';
import type { ProvisionPhase } from '../../machines/vocabulary.ts';

type Told = Extract<PoolNotice, { type: 'progress.made' | 'provision.advanced' }>;

export interface Telling {
  phase(phase: ProvisionPhase): void;
  progress(doneBytes: number, totalBytes: number | null): void;
}

const rateOverMs = 5_000;

/** `self` of the effect. A phase that is told twice is told once. */
export const tellPool = (self: AnyActorRef, step: 'engine' | 'model'): Telling => {
  const tell = (told: Told): void => self._parent?.send(told);
  let phase: ProvisionPhase | null = null;
  let points: readonly { readonly mono: number; readonly bytes: number }[] = [];
  return {
    phase: (next) => {
      if (next === phase) return;
      phase = next;
      points = [];
      tell({ type: 'provision.advanced', step, phase, ...stamp() });
    },
    progress: (doneBytes, totalBytes) => {
      const now = stamp();
      points = [...points.filter(({ mono, bytes }) => now.mono - mono < rateOverMs && bytes <= doneBytes), { mono: now.mono, bytes: doneBytes }];
      const [first] = points;
      const elapsedMs = now.mono - (first?.mono ?? now.mono);
      const bytesPerSecond = first === undefined || elapsedMs < 100 ? null : Math.round(((doneBytes - first.bytes) / elapsedMs) * 1000);
      tell({ type: 'progress.made', step, doneBytes, totalBytes, bytesPerSecond, ...now });
    },
  };
};
