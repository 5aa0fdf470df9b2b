/**
 * Engines in containers of podman or docker. A container is a child of its runtime, not of the daemon, so it outlives both; it is known
 * by the pid and start time of its first process, which stays the same from before the engine until after it, and which takes all others
 * of the container with it when it ends.
 *
 * That process waits until the run is recorded, so there is no engine without a record. It is ended through the runtime; where that
 * does not do it in time, by the kernel.
 */

import { constants } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { CauseError } from '../../cause.ts';
import { stamp } from '../../clock.ts';
import type { LaunchPlan } from '../../engines/adapter.ts';
import type { EngineExit, RunRecord } from '../../machines/vocabulary.ts';
import { identityOfPid, isAlive, type ProcIdentity } from '../../os/proc-stat.ts';
import { type LookAtProcesses, treeOf } from '../../os/process-table.ts';
import { imageReference } from '../../provisioning/container/image.ts';
import type { Answering, ContainerRuntime, Containers, RuntimeName } from '../../provisioning/container/runtime.ts';
import type { Shelf } from '../../state/store.ts';
import type { Launcher, RunFacts, StopOutcome } from '../launcher.ts';
import { containerEnvironment, containerName, createArgv } from './container-argv.ts';
import { type Berth, holdsFile, makeBerth, readsOf, removeBerth, type StartOf, strayBerths } from './container-files.ts';
import type { Trees } from './descendants.ts';
import { endTree } from './end-tree.ts';
import { watchExit } from './watch-exit.ts';

export interface ContainerLauncherDeps {
  readonly stateDir: string;
  readonly containers: Containers;
  readonly runs: Shelf<RunRecord>;
  readonly trees: Trees;
  readonly look: LookAtProcesses;
  readonly bootId: string;
}

const gateWithinMs = 15_000;
/** Of a runtime that hangs no more is expected. */
const signalWithinMs = 5_000;
const pollMs = 20;
/** From the end of its process until the runtime has noticed. */
const exitWithinMs = 2_000;
const unknownExit: EngineExit = { code: null, signal: null };

export const containerLauncher = ({ stateDir, containers, runs, trees, look, bootId }: ContainerLauncherDeps): Launcher => {
  const stopping = new Map<string, Promise<StopOutcome>>();

  /** A container that cannot be removed now is the next daemon's to remove, which finds it by its folder. */
  const clear = async (runtime: ContainerRuntime, container: string, start: StartOf, how: 'force' | null): Promise<void> => {
    if (await remove(runtime, container, how)) await removeBerth(stateDir, start);
  };

  const start: Launcher['start'] = async (plan, facts) => {
    const runtime = await containers.find();
    const berth = await makeBerth(stateDir, facts, runtime.name, containerEnvironment(plan, facts));
    try {
      const id = await create(runtime, plan, facts, berth);
      const { at, mono } = stamp();
      const first = await startWaiting(runtime, id, berth, look);
      const run = runOf(facts, runtime.name, id, first, { startedAt: at, startedMono: mono });
      await runs.write(run.poolId, run);
      berth.open();
      return run;
    } catch (thrown) {
      berth.close();
      await clear(runtime, containerName(facts), facts, 'force');
      // A write that failed may have left the record all the same.
      await runs.remove(facts.poolId).catch(() => undefined);
      throw thrown;
    }
  };

  /** TERM by the runtime, grace, KILL by the runtime; what is left then is killed as any other tree. */
  const end: Launcher['stop'] = async (run, { signal, graceMs, killWaitMs }) => {
    const { runtime, id } = whereOf(run, containers);
    const kill = (name: string) => runtime.call(['kill', '--signal', name, id], undefined, Math.min(killWaitMs, signalWithinMs));
    let killed = false;
    if (isAlive(run) && run.bootId === bootId) {
      const asked = kill(signal);
      if (!(await goneBy(run, graceMs))) {
        killed = true;
        await Promise.all([asked, kill('SIGKILL')]);
        await goneBy(run, pollMs);
      }
      await asked;
    }
    const left = await endTree(run, { signal, graceMs: 0, killWaitMs }, trees);
    if (left.survivors.length > 0) return { survivors: left.survivors, killed: true, exit: isAlive(run) ? null : unknownExit };
    const exit = await exitOf(runtime, id);
    await remove(runtime, id, 'force');
    return { survivors: [], killed: killed || left.killed, exit };
  };

  return {
    name: 'container',
    start,
    watch: (run, onExit) => {
      let stopped = false;
      const { runtime, id } = whereOf(run, containers);
      const stop = watchExit(run, null, () => {
        void exitOf(runtime, id).then((exit) => {
          if (!stopped) onExit(exit);
        });
      });
      return () => {
        stopped = true;
        stop();
      };
    },
    stop: (run, options) => {
      const current = stopping.get(run.incarnation) ?? end(run, options).finally(() => stopping.delete(run.incarnation));
      stopping.set(run.incarnation, current);
      return current;
    },
    // With its first process everything of a container is gone, whoever has the number now.
    identify: async (run) => (run.bootId === bootId && isAlive(run) ? 'ours' : 'gone'),
    forget: async (run) => {
      const { runtime, id } = whereOf(run, containers);
      // Not by force: one that runs has not been stopped.
      await clear(runtime, id, run, null);
    },
  };
};

const create = async (runtime: Answering, plan: LaunchPlan, facts: RunFacts, berth: Berth): Promise<string> => {
  const { provisioning } = facts.spec;
  if (provisioning.mode !== 'container') throw new Error(`only a spec of mode container is run in one, found ${provisioning.mode}`);
  const image = imageReference(provisioning.container);
  const ended = await runtime.call(createArgv({ plan, facts, runtime, image, reads: await readsOf(facts), files: berth }));
  const id = ended.stdout.trim().split('\n').at(-1) ?? '';
  if (ended.ok && /^[0-9a-f]{12,64}$/.test(id)) return id;
  throw notStarted(`expected ${runtime.name} to create a container of ${image}, found ${ended.found}`);
};

/** Its first process, once what is in it waits at our FIFO: that shows that it is on this machine, and ours to look at. */
const startWaiting = async (runtime: ContainerRuntime, id: string, { go }: Berth, look: LookAtProcesses): Promise<ProcIdentity> => {
  const started = await runtime.call(['start', id]);
  if (!started.ok) throw notStarted(`expected ${runtime.name} to start container ${id.slice(0, 12)}, found ${started.found}`);
  const asked = await stateOf(runtime, id);
  const first = asked === null || asked.pid === 0 ? null : identityOfPid(asked.pid);
  for (const limit = performance.now() + gateWithinMs; first !== null && isAlive(first) && performance.now() < limit; await wait(pollMs)) {
    const holds = treeOf(await look(0), { root: first, recorded: [] }).map(({ pid }) => holdsFile(pid, go));
    if (holds.includes(true)) return first;
    if (holds.includes('denied'))
      throw new CauseError({
        code: 'engine_incompatible',
        message: `expected the processes of a container of ${runtime.name} to be the daemon's own user's, found that it may not look at them; use podman as that user, or docker without userns-remap`,
      });
  }
  const said = await runtime.call(['logs', id]);
  throw notStarted(
    `expected container ${id.slice(0, 12)} to wait at its gate within ${gateWithinMs} ms, found ${first === null ? 'no process' : isAlive(first) ? 'that it did not' : 'it ended'}; it said ${JSON.stringify(said.said.trim().slice(-600))}`,
  );
};

interface State {
  readonly pid: number;
  readonly isRunning: boolean;
  readonly code: number;
}

/** Null: there is no such container, or no answer. */
const stateOf = async (runtime: ContainerRuntime, id: string): Promise<State | null> => {
  const ended = await runtime.call(['container', 'inspect', '--format', '{{.State.Pid}} {{.State.Running}} {{.State.ExitCode}}', id]);
  const [, pid, running, code] = /^(\d+) (true|false) (-?\d+)\s*$/.exec(ended.ok ? ended.stdout : '') ?? [];
  return pid === undefined ? null : { pid: Number(pid), isRunning: running === 'true', code: Number(code) };
};

const exitOf = async (runtime: ContainerRuntime, id: string): Promise<EngineExit> => {
  for (const limit = performance.now() + exitWithinMs; performance.now() < limit; await wait(pollMs * 5)) {
    const state = await stateOf(runtime, id);
    if (state === null) return unknownExit;
    if (!state.isRunning) return ofCode(state.code);
  }
  return unknownExit;
};

/** Runtimes tell a signal as a shell does. */
const ofCode = (code: number): EngineExit => {
  const signal = Object.entries(constants.signals).find(([, number]) => number === code - 128)?.[0];
  return signal === undefined ? { code, signal: null } : { code: null, signal: signal as NodeJS.Signals };
};

/** True: it is not there any more. */
const remove = async (runtime: ContainerRuntime, container: string, how: 'force' | null): Promise<boolean> => {
  const ended = await runtime.call(['rm', ...(how === null ? [] : ['--force']), container]);
  return ended.ok || /no such container|no container with name/i.test(ended.said);
};

const goneBy = async (process: ProcIdentity, withinMs: number): Promise<boolean> => {
  for (const limit = performance.now() + withinMs; performance.now() < limit; await wait(pollMs)) if (!isAlive(process)) return true;
  return !isAlive(process);
};

const runOf = (
  facts: RunFacts,
  runtime: RuntimeName,
  id: string,
  { pid, startTime }: ProcIdentity,
  at: Pick<RunRecord, 'startedAt' | 'startedMono'>,
): RunRecord => ({
  ...facts,
  launcher: 'container',
  pid,
  startTime,
  unit: `${runtime}:${containerName(facts)}`,
  invocationId: id,
  exitFifo: null,
  ...at,
});

/** The name does where the id is not known. */
const whereOf = ({ unit, invocationId, ...run }: RunRecord, containers: Containers): { readonly runtime: ContainerRuntime; readonly id: string } => ({
  runtime: containers.named(unit?.startsWith('docker:') ? 'docker' : 'podman'),
  id: invocationId ?? containerName(run),
});

/** Removes the containers of starts that no record names, and says which. Only while no engine is being started. */
export const sweepContainers = async (stateDir: string, recorded: readonly RunRecord[], containers: Containers): Promise<readonly string[]> => {
  const strays = await strayBerths(stateDir, recorded);
  const swept = await Promise.all(
    strays.map(async (stray) => {
      const name = containerName(stray);
      if (!(await remove(containers.named(stray.runtime), name, 'force'))) return null;
      await removeBerth(stateDir, stray);
      return name;
    }),
  );
  return swept.filter((name) => name !== null);
};

const notStarted = (message: string): CauseError => new CauseError({ code: 'engine_exited', message: message + hintOf(message) });

const hintOf = (message: string): string => {
  if (/CDI/.test(message))
    return '; `nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`, of the NVIDIA Container Toolkit, says which cards there are';
  return /catatonit|container-init|docker-init/.test(message) ? '; install catatonit, the init that podman starts in containers' : '';
};
