/**
 * Has the node stop and says what came of it: which engines stay on purpose, and which would not stop.
 *
 * The node's chart bounds the waiting; `hurry` ends it at once.
 */
import { waitFor } from 'xstate';
import { stamp } from '../clock.ts';
import { publicIdOf } from '../machines/policies/berths.ts';
import { unsettled } from '../machines/policies/roster.ts';
import type { LiveViews, NodeRef } from './live-views.ts';

export interface StopReport {
  /** Something that should have ended has not. */
  readonly unfinished: boolean;
  readonly lines: readonly string[];
}

export const stopNode = async (node: NodeRef, views: LiveViews, mode: 'keep' | 'drain', hurry: AbortSignal): Promise<StopReport> => {
  node.send({ type: 'node.stop', mode, ...stamp() });
  await waitFor(node, (snapshot) => snapshot.matches({ lifecycle: 'stopped' }), { signal: hurry }).catch(() => undefined);
  const runs = views.runs();
  const describe = (berth: string): string => {
    const run = runs.find(({ poolId }) => poolId === berth);
    return run === undefined ? publicIdOf(berth) : `${publicIdOf(berth)} (pid ${run.pid}, ${run.endpoint})`;
  };
  if (mode === 'keep') {
    const staying = runs.map(({ poolId }) => describe(poolId));
    return {
      unfinished: false,
      lines: staying.length === 0 ? ['no engine runs'] : [`engines stay and are adopted by the next daemon: ${staying.join(', ')}`],
    };
  }
  const left = unsettled(node.getSnapshot().context.roster).map(describe);
  if (left.length === 0) return { unfinished: false, lines: ['every engine has ended'] };
  return { unfinished: true, lines: [`engines that did not stop in time and still run: ${left.join(', ')}; the next daemon takes them up again`] };
};
