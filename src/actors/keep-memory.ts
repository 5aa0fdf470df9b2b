/**
 * Keeps the memory of one pool on disk: the newest last, one write outstanding, the failing one tried again.
 *
 * memory.failed at each failure, memory.kept once when writing works again. Undo: a write under way ends, and the last memory
 * told is still written, once; what then fails is told to `lost`, for the pool is gone.
 */
import { fromCallback } from 'xstate';
import { causeOf } from '../cause.ts';
import { stamp } from '../clock.ts';
import type { poolActors } from '../machines/pool/actors.ts';
import type { Cause, PoolMemory } from '../machines/vocabulary.ts';
import type { StateStore } from '../state/store.ts';

export interface KeepMemoryDeps {
  readonly memories: Pick<StateStore['memories'], 'write'>;
  readonly bootId: string;
  readonly lost: (poolId: string, cause: Cause) => void;
  readonly retryMs?: number;
}

export const keepMemory = ({ memories, bootId, lost, retryMs = 5_000 }: KeepMemoryDeps): typeof poolActors.keepMemory =>
  fromCallback<{ type: 'memory.changed'; memory: PoolMemory }, { readonly poolId: string }>(({ input: { poolId }, sendBack, receive }) => {
    let newest: PoolMemory | null = null;
    let writing = false;
    let failing = false;
    let stopped = false;
    let retry: NodeJS.Timeout | undefined;

    const succeeded = (): void => {
      if (failing && !stopped) sendBack({ type: 'memory.kept', ...stamp() });
      failing = false;
    };
    const failed = (memory: PoolMemory, cause: Cause): void => {
      if (stopped) {
        if (newest === null) lost(poolId, cause);
        return;
      }
      newest ??= memory;
      failing = true;
      retry = setTimeout(tryAgain, retryMs);
      sendBack({ type: 'memory.failed', cause, ...stamp() });
    };
    const write = async (): Promise<void> => {
      if (writing || retry !== undefined) return;
      writing = true;
      while (newest !== null && retry === undefined) {
        const memory: PoolMemory = newest;
        newest = null;
        await memories
          .write(poolId, { ...memory, bootId })
          .then(succeeded, (thrown: unknown) => failed(memory, causeOf(thrown, 'state_store_failed')));
      }
      writing = false;
    };
    const tryAgain = (): void => {
      clearTimeout(retry);
      retry = undefined;
      void write();
    };

    receive(({ memory }) => {
      newest = memory;
      void write();
    });
    return () => {
      stopped = true;
      tryAgain();
    };
  });
