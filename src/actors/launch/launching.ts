/**
 * All launchers as one: new engines by the one that is set, or in a container where their spec says so, those on record each by its
 * own, so that a change of the setting loses no engine.
 */
import { accessSync, constants } from 'node:fs';
import type { RunRecord } from '../../machines/vocabulary.ts';
import { listenerOwner, type Owner } from '../../os/listener-owner.ts';
import { processLooker } from '../../os/process-table.ts';
import type { Containers } from '../../provisioning/container/runtime.ts';
import type { StateStore } from '../../state/store.ts';
import type { Launcher } from '../launcher.ts';
import { containerLauncher, sweepContainers } from './container.ts';
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

type Name = RunRecord['launcher'];
/** One that POOL_MANAGERD_LAUNCHER may name. */
type Chosen = Exclude<Name, 'container'>;

export interface LaunchingDeps {
  /** POOL_MANAGERD_LAUNCHER. */
  readonly setting: 'auto' | Chosen;
  readonly store: Pick<StateStore, 'dir' | 'runs' | 'trees'>;
  readonly containers: Containers;
  readonly bootId: string;
}

export interface OpenLaunching extends Launching {
  /** What new engines are started by. */
  readonly chosen: Chosen;
  /** Says what starts that were cut off left, and removes it. Only before any engine is started. */
  readonly sweepContainers: (recorded: readonly RunRecord[]) => Promise<readonly string[]>;
}

export const openLaunching = ({ setting, store, containers, bootId }: LaunchingDeps): OpenLaunching => {
  const look = processLooker();
  const kept = trees({ look, shelf: store.trees, bootId });
  // An engine that has just begun is not in a table of processes that was made before.
  const around = { trees: kept, listenerOwner: listenerOwner((run: RunRecord) => kept.membersOf(run, 'now')) };
  const own = { stateDir: store.dir, runs: store.runs, trees: kept, bootId };
  const chosen = chooseLauncher(setting);
  return {
    chosen,
    ...launchBy(chosen, {
      detached: { launcher: detachedLauncher(own), ...around },
      systemd: asUnits(store, bootId),
      container: { launcher: containerLauncher({ ...own, containers, look }), ...around },
    }),
    sweepContainers: (recorded) => sweepContainers(store.dir, recorded, containers),
  };
};

const asUnits = ({ runs }: LaunchingDeps['store'], bootId: string): Launching => ({
  launcher: systemdLauncher({ systemctl: systemctl(), files: systemUnitFiles(), runs, bootId }),
  trees: unitTrees({ bootId }),
  listenerOwner: unitListenerOwner(),
});

/** `auto`: as units where this user may write specs, so where the package was installed and systemd has made its folders. */
const chooseLauncher = (setting: LaunchingDeps['setting'], specsDir = '/run/pool-managerd/specs'): Chosen => {
  if (setting !== 'auto') return setting;
  try {
    accessSync(specsDir, constants.W_OK);
    accessSync('/run/systemd/system');
    return 'systemd';
  } catch {
    return 'detached';
  }
};

export const launchBy = (chosen: Chosen, ways: Readonly<Record<Name, Launching>>): Launching => {
  const launcherOf = (run: RunRecord): Launcher => ways[run.launcher].launcher;
  const treesOf = (run: RunRecord): Trees => ways[run.launcher].trees;
  return {
    launcher: {
      name: chosen,
      start: (plan, facts) => ways[facts.spec.provisioning.mode === 'container' ? 'container' : chosen].launcher.start(plan, facts),
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
