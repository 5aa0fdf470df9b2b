/**
 * Both launchers as one: new engines by the one that is chosen, those on record each by its own, so that a change of the setting
 * loses no engine.
 */
import { accessSync, constants } from 'node:fs';
import type { RunRecord } from '../../machines/vocabulary.ts';
import type { Owner } from '../../os/listener-owner.ts';
import type { Launcher } from '../launcher.ts';
import type { Trees } from './descendants.ts';

/** How runs are started, and known afterwards. */
export interface Launching {
  readonly launcher: Launcher;
  readonly trees: Trees;
  readonly listenerOwner: (run: RunRecord) => Promise<Owner>;
}

/** `auto`: as units where this user may give them specs, which is so where the package was installed and systemd made its folders. */
export const chooseLauncher = (setting: 'auto' | RunRecord['launcher'], specsDir = '/run/pool-managerd/specs'): RunRecord['launcher'] => {
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
