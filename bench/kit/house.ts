/** A temporary directory and everything that was started in it; all of it ends with the work, also when it is interrupted. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

type Undo = () => Promise<void> | void;

export interface House {
  readonly dir: string;
  /** Undone in the opposite order. */
  atEnd(undo: Undo): void;
}

const open = new Set<() => Promise<void>>();

export const inHouse = async <T>(work: (house: House) => Promise<T>): Promise<T> => {
  const dir = await mkdtemp(join(tmpdir(), 'pool-managerd-bench-'));
  const undos: Undo[] = [() => rm(dir, { recursive: true, force: true, maxRetries: 3 })];
  const clear = async (): Promise<void> => {
    open.delete(clear);
    for (let undo = undos.pop(); undo !== undefined; undo = undos.pop()) await undo();
  };
  open.add(clear);
  try {
    return await work({ dir, atEnd: (undo) => void undos.push(undo) });
  } finally {
    await clear();
  }
};

/** For an interrupt. */
export const clearAllHouses = async (): Promise<void> => {
  await Promise.allSettled([...open].map((clear) => clear()));
};
