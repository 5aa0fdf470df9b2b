/**
 * Keeps on disk which pools were made from handoffs and what was ordered of them over the API, and takes away what is kept of pools that have ended.
 *
 * A note that cannot be written is told to `lost`: the pool goes on, and a restart of the daemon would not know it. Undo: stops
 * listening; a write under way ends.
 */
import { fromCallback } from 'xstate';
import { causeOf } from '../cause.ts';
import type { nodeActors, RosterNote } from '../machines/node/actors.ts';
import type { Cause, PoolSpec } from '../machines/vocabulary.ts';
import type { StateStore } from '../state/store.ts';
import type { LearnedNeeds } from './learned-needs.ts';

export interface KeepRosterDeps {
  readonly store: Pick<StateStore, 'attached' | 'memories' | 'declared' | 'overrides'>;
  readonly learned: Pick<LearnedNeeds, 'forget'>;
  readonly bootId: string;
  /** Of a pool's whole entry in the pools file. */
  readonly hashEntry: (spec: PoolSpec) => string;
  readonly lost: (poolId: string, cause: Cause) => void;
}

export const keepRoster = ({ store, learned, bootId, hashEntry, lost }: KeepRosterDeps): typeof nodeActors.keepRoster =>
  fromCallback<RosterNote, Record<string, never>>(({ receive }) => {
    const tell = (poolId: string) => (thrown: unknown) => lost(poolId, causeOf(thrown, 'state_store_failed'));
    /** By pool. What an older one still has to do is not done to what a newer one wrote. */
    const latest = new Map<string, RosterNote>();
    const keepDeclared = async (note: Extract<RosterNote, { type: 'pool.redeclared' }>): Promise<void> => {
      const { poolId, origin, spec, overrides, former } = note;
      latest.set(poolId, note);
      const isRecorded = origin === 'api' ? former !== null : overrides !== null;
      if (isRecorded) {
        const filedHash = overrides && hashEntry(overrides);
        return store.overrides.write(poolId, { version: 1, poolId, filedHash, spec, former });
      }
      // In this order, so that a crash in between leaves no older declaration.
      await (origin === 'api' ? store.declared.write(poolId, spec) : store.declared.remove(poolId));
      if (latest.get(poolId) === note) await store.overrides.remove(poolId);
    };
    receive((note) => {
      switch (note.type) {
        case 'pool.attached': {
          const { poolId } = note.handoff;
          void store.attached.write(poolId, { version: 1, poolId, bootId, handoff: note.handoff }).catch(tell(poolId));
          return;
        }
        case 'pool.redeclared':
          void keepDeclared(note).catch(tell(note.poolId));
          return;
        case 'pool.forgotten':
          latest.delete(note.poolId);
          for (const shelf of [store.attached, store.declared, store.overrides]) void shelf.remove(note.poolId).catch(tell(note.poolId));
          void learned.forget(note.poolId).catch(tell(note.poolId));
          return;
        case 'berth.forgotten':
          void store.memories.remove(note.poolId).catch(tell(note.poolId));
          return;
      }
    });
  });
