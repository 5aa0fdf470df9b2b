/** Removes what is kept of a run: what its launcher keeps, its tree, its record, the record last. A newer run's are left. */
import type { RunRecord } from '../../machines/vocabulary.ts';
import type { Shelf } from '../../state/store.ts';
import type { Launcher } from '../launcher.ts';
import type { Trees } from './descendants.ts';

export interface ForgetRunDeps {
  readonly launcher: Launcher;
  readonly trees: Trees;
  readonly runs: Shelf<RunRecord>;
}

export const forgetRun = async (run: RunRecord, { launcher, trees, runs }: ForgetRunDeps): Promise<void> => {
  await launcher.forget(run);
  await trees.forget(run);
  const recorded = await runs.read(run.poolId).catch(() => null);
  if (recorded?.incarnation === run.incarnation) await runs.remove(run.poolId);
};
