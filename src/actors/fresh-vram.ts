/** What the processes of an engine hold on its cards at this moment. Null: the driver does not list them, or cannot be read. */
import { isCause } from '../cause.ts';
import type { GpuSource } from '../gpu/source.ts';
import type { RunRecord } from '../machines/vocabulary.ts';
import { nameOwners, type Owners } from './name-owners.ts';

export interface FreshVramDeps {
  readonly source: GpuSource;
  readonly owners: Owners;
  readonly readDeadlineMs: number;
}

export const freshVram =
  ({ source, owners, readDeadlineMs }: FreshVramDeps) =>
  async (run: RunRecord): Promise<number | null> => {
    const read = await source.read(readDeadlineMs);
    if (isCause(read)) return null;
    const { gpus } = await nameOwners(read, owners);
    const own = gpus.flatMap(({ processes }) => processes).filter(({ poolId }) => poolId === run.poolId);
    return own.length === 0
      ? null
      : own.reduce<number | null>((sum, { usedBytes }) => (sum === null || usedBytes === null ? null : sum + usedBytes), 0);
  };
