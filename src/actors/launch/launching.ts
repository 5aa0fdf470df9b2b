/**
 * Both launchers as one: new engines by the one that is set, those on record each by its own, so that a change of the setting
 * loses no engine.
 */
import { accessSync, constants } from 'node:fs';
import type { RunRecord } from '../../machines/vocabulary.ts';
import { listenerOwner, type Owner } from '../../os/listener-owner.ts';
import { processLooker } from '../../os/process-table.ts';
import type { StateStore } from '../../state/store.ts';
import type { Launcher } from '../launcher.ts';
import { type Trees, trees } from './descendants.ts';
import { detachedLauncher } from './detached.ts';
import { systemctl } from './systemctl.ts';
import { systemdLauncher } from './systemd.ts';
import { systemUnitFiles } from './unit-files.ts';
import { unitListenerOwner } from './unit-listener.ts';
import { unitTrees } from './unit-trees.ts';

/** How runs are started, and known afterwards. */
export interface Launching {
  readonly launcher: Launcher;
  readonly trees: Trees;
  readonly listenerOwner: (run: RunRecord) => Promise<Owner>;
}

export interface LaunchingDeps {
  /** POOL_MANAGERD_LAUNCHER. */
  readonly setting: 'auto' | RunRecord['launcher'];
  readonly store: Pick<StateStore, 'dir' | 'runs' | 'trees'>;
  readonly bootId: string;
}

export const openLaunching = ({ setting, store, bootId }: LaunchingDeps): Launching =>
  launchBy(chooseLauncher(setting), { detached: asProcesses(store, bootId), systemd: asUnits(store, bootId) });

const asProcesses = ({ dir, runs, trees: shelf }: LaunchingDeps['store'], bootId: string): Launching => {
  const kept = trees({ look: processLooker(), shelf, bootId });
  return {
    launcher: detachedLauncher({ stateDir: dir, runs, trees: kept, bootId }),
    trees: kept,
    // An engine that has just begun is not in a table of processes that was made before.
    listenerOwner: listenerOwner((run: RunRecord) => kept.membersOf(run, 'now')),
  };
};

const asUnits = ({ runs }: LaunchingDeps['store'], bootId: string): Launching => ({
  launcher: systemdLauncher({ systemctl: systemctl(), files: systemUnitFiles(), runs, bootId }),
  trees: unitTrees({ bootId }),
  listenerOwner: unitListenerOwner(),
});

/** `auto`: as units where this user may write specs, so where the package was installed and systemd has made its folders. */
const chooseLauncher = (setting: LaunchingDeps['setting'], specsDir = '/run/pool-managerd/specs'): RunRecord['launcher'] => {
  if (setting !== 'auto') return setting;
  try {
    accessSync(specsDir, constants.W_OK);
    accessSync('/run/systemd/system');
    return 'systemd';
  } catch {
    return 'detached';
  }
};

export const launchBy = (chosen: RunRecord['launcher'], ways: Readonly<Record<RunRecord['launcher'], Launching>>): Launching => {
  const launcherOf = (run: RunRecord): Launcher => ways[run.launcher].launcher;
  const treesOf = (run: RunRecord): Trees => ways[run.launcher].trees;
  return {
    launcher: {
      name: chosen,
      start: (plan, facts) => ways[chosen].launcher.start(plan, facts),
      watch: (run, onExit) => launcherOf(run).watch(run, onExit),
      stop: (run, options) => launcherOf(run).stop(run, options),
      identify: (run) => launcherOf(run).identify(run),
      forget: (run) => launcherOf(run).forget(run),
    },
    trees: {
      membersOf: (run, when) => treesOf(run).membersOf(run, when),
      refresh: (run) => treesOf(run).refresh(run),
      rootEnded: (run) => treesOf(run).rootEnded(run),
      pidsOf: (run) => treesOf(run).pidsOf(run),
      forget: (run) => treesOf(run).forget(run),
    },
    listenerOwner: (run) => ways[run.launcher].listenerOwner(run),
  };
};
