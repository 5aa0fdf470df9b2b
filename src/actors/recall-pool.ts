/** Reads again what is on disk of one pool whose actor broke, and says so. Reads once; undo: what is read ends unheard. */
import { fromCallback } from 'xstate';
import { stamp } from '../clock.ts';
import type { NodeEvent } from '../machines/events.ts';
import type { nodeActors } from '../machines/node/actors.ts';
import type { BootPool } from '../machines/vocabulary.ts';
import { memoryInBoot } from '../state/boot-plan.ts';
import type { StateStore } from '../state/store.ts';

export interface RecallPoolDeps {
  readonly store: Pick<StateStore, 'runs' | 'memories'>;
  readonly bootId: string;
}

export const recallPool = ({ store, bootId }: RecallPoolDeps): typeof nodeActors.recallPool =>
  fromCallback<{ type: 'recall.none' }, Omit<BootPool, 'run' | 'memory'>>(({ input, sendBack }) => {
    let stopped = false;
    const recall = async (): Promise<void> => {
      // A file that cannot be read has been set aside: its engine, if there is one, is found at the next start of the daemon.
      const run = await store.runs.read(input.poolId).catch(() => null);
      const kept = await store.memories.read(input.poolId).catch(() => null);
      const memory = kept === null ? null : memoryInBoot(kept, { boot: bootId, mono: stamp().mono }, run);
      const event: NodeEvent = { type: 'pool.recalled', pool: { ...input, run, memory }, ...stamp() };
      if (!stopped) sendBack(event);
    };
    void recall();
    return () => {
      stopped = true;
    };
  });
