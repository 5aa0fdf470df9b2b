/**
 * Each engine as a unit of its own, `llama-engine@<pool>.service`: another user, control group and limits, and a life that no
 * end of the daemon touches. Needs the units and the polkit rule of `packaging/`.
 *
 * A run is known by its unit and InvocationID, its process by pid and start time. What is written before the unit is started is
 * enough to find the run again (`recover`) when the daemon dies before it has recorded it.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { CauseError } from '../../cause.ts';
import { stamp } from '../../clock.ts';
import type { RunRecord } from '../../machines/vocabulary.ts';
import { bootId } from '../../os/boot-id.ts';
import { isAlive, type ProcIdentity, readProcStat } from '../../os/proc-stat.ts';
import type { Launcher, StopOutcome } from '../launcher.ts';
import { type Systemctl, type Told, type UnitFacts, unitOf } from './systemctl.ts';
import { isInUnit, processesIn } from './unit-cgroup.ts';
import { type PendingRun, type UnitFiles, unitFiles } from './unit-files.ts';
import { mostSpecBytes, parseUnitSpec } from './unit-spec.ts';
import { watchUnit } from './unit-watch.ts';

export interface SystemdLauncherOptions {
  readonly systemctl: Systemctl;
  readonly files: UnitFiles;
  readonly cgroupRoot?: string;
}

export interface SystemdLauncher extends Launcher {
  /** Runs of units that are alive and were started by a daemon of ours, but are in none of `known`. To be recorded, then adopted. */
  recover(known: readonly RunRecord[]): Promise<readonly RunRecord[]>;
  /** The run's processes, by its control group. */
  membersOf(run: RunRecord): Promise<readonly ProcIdentity[]>;
}

export const systemUnitFiles = (): UnitFiles => unitFiles({ specsDir: '/run/pool-managerd/specs', enginesDir: '/run/llama-engines' });

/** Above TimeoutStartSec= of the unit. */
const startWithinMs = 35_000;
const pollMs = 20;
const idle = ['inactive', 'failed'];

export const systemdLauncher = ({ systemctl, files, cgroupRoot }: SystemdLauncherOptions): SystemdLauncher => {
  const completed = (
    run: PendingRun,
    { pid, startTime }: ProcIdentity,
    invocationId: string,
    at: { startedAt: number; startedMono: number },
  ): RunRecord => ({
    ...run,
    launcher: 'systemd',
    pid,
    startTime,
    unit: unitOf(run.poolId),
    invocationId,
    exitFifo: null,
    ...at,
  });

  /** The process that the unit started for this incarnation, alive or not; null: it never came to be the engine. */
  const processOf = async (run: PendingRun, facts: UnitFacts | null): Promise<(ProcIdentity & { readonly invocationId: string }) | null> => {
    const main = facts === null || facts.mainPid === 0 ? null : readProcStat(facts.mainPid);
    if (main !== null && facts?.invocationId) return { pid: main.pid, startTime: main.startTime, invocationId: facts.invocationId };
    const started = await files.started(run.poolId);
    return started?.incarnation === run.incarnation ? started : null;
  };

  const start: Launcher['start'] = async (plan, run) => {
    const unit = unitOf(run.poolId);
    const before = await systemctl.show(unit);
    if (before !== null && !idle.includes(before.activeState)) throw occupied(unit, before);
    const { poolId, incarnation, logFile } = run;
    const spec = { version: 1 as const, poolId, incarnation, executable: plan.executable, argv: plan.argv, env: plan.env, logFile };
    checkSpec(spec, poolId);
    await files.prepare(spec, run);
    const { at, mono } = stamp();
    const told = await systemctl.start(unit, startWithinMs);
    if (told.kind !== 'done') {
      // Nothing is left running when start() fails, also where the job goes on after the deadline.
      await systemctl.stop(unit);
      throw notStarted(unit, told);
    }
    const found = await processOf(run, await systemctl.show(unit));
    if (found === null) throw endedAtOnce(unit, (await files.ended(poolId))?.result ?? null);
    return completed(run, found, found.invocationId, { startedAt: at, startedMono: mono });
  };

  const identify: Launcher['identify'] = async (run) => {
    if (run.bootId !== bootId()) return 'gone';
    const facts = await systemctl.show(unitOf(run.poolId));
    const isThere = isAlive(run) && isInUnit(run.pid, unitOf(run.poolId)) === true;
    // A systemd that does not answer takes nothing from what /proc proves.
    if (facts === null) return isThere ? 'ours' : 'gone';
    if (facts.invocationId === run.invocationId) return isThere ? 'ours' : 'gone';
    return idle.includes(facts.activeState) ? 'gone' : 'stranger';
  };

  const membersOf = async (run: RunRecord): Promise<readonly ProcIdentity[]> => {
    const facts = await systemctl.show(unitOf(run.poolId));
    if (facts === null) return isAlive(run) ? [run] : [];
    if (facts.invocationId !== run.invocationId || facts.controlGroup === null) return [];
    return processesIn(facts.controlGroup, cgroupRoot);
  };

  const outcome = async (run: RunRecord, survivors: readonly ProcIdentity[]): Promise<StopOutcome> => {
    const ended = await files.ended(run.poolId);
    const exit = ended?.invocationId === run.invocationId ? ended.exit : null;
    return { survivors: survivors.map(({ pid }) => pid), killed: exit?.signal === 'SIGKILL' || survivors.length > 0, exit };
  };

  const stop: Launcher['stop'] = async (run, { signal, graceMs, killWaitMs }) => {
    const unit = unitOf(run.poolId);
    const facts = await systemctl.show(unit);
    if (facts !== null && (facts.invocationId !== run.invocationId || idle.includes(facts.activeState))) return outcome(run, []);
    await files.writeStop(run.poolId, signal, graceMs);
    const told = await systemctl.stop(unit);
    if (told.kind === 'refused') throw notStopped(unit, told.message);
    const group = facts?.controlGroup ?? null;
    const left = (): readonly ProcIdentity[] => (group === null ? [run].filter(isAlive) : processesIn(group, cgroupRoot));
    const limit = stamp().mono + graceMs + killWaitMs;
    while (stamp().mono < limit) {
      if (left().length === 0 && (await hasEnded(run))) return outcome(run, []);
      await wait(pollMs);
    }
    return outcome(run, left());
  };

  /** The unit has said how, or is gone: a next start would be a new run. */
  const hasEnded = async (run: RunRecord): Promise<boolean> => {
    if ((await files.ended(run.poolId))?.invocationId !== run.invocationId) return false;
    const facts = await systemctl.show(unitOf(run.poolId));
    return facts === null || idle.includes(facts.activeState) || facts.invocationId !== run.invocationId;
  };

  const recoverOne = async (poolId: string): Promise<RunRecord | null> => {
    const [pending, started, facts] = [await files.pending(poolId), await files.started(poolId), await systemctl.show(unitOf(poolId))];
    if (pending === null || started === null || facts === null || pending.bootId !== bootId()) return null;
    if (started.incarnation !== pending.incarnation || started.invocationId !== facts.invocationId || !isAlive(started)) return null;
    return completed(pending, started, started.invocationId, timesOf(started.startTime));
  };

  return {
    name: 'systemd',
    start,
    watch: (run, onExit) => watchUnit(run, files, onExit),
    stop,
    identify,
    membersOf,
    recover: async (known) => {
      const recorded = new Set(known.map(({ invocationId }) => invocationId));
      const found = await Promise.all(((await systemctl.pools()) ?? []).map(recoverOne));
      return found.filter((run) => run !== null).filter(({ invocationId }) => !recorded.has(invocationId));
    },
  };
};

/** By the length of a clock tick in Linux's interface to programs, 1/100 s. */
const timesOf = (startTime: number): { startedAt: number; startedMono: number } => {
  const { at, mono } = stamp();
  const startedMono = Math.min(mono, startTime * 10);
  return { startedAt: Math.round(at - (mono - startedMono)), startedMono };
};

/** The daemon refuses what engine-exec would refuse, before anything is started. */
const checkSpec = (spec: object, poolId: string): void => {
  try {
    const text = JSON.stringify(spec);
    if (text.length > mostSpecBytes) throw new Error(`expected at most ${mostSpecBytes} bytes, found ${text.length}`);
    parseUnitSpec(text, poolId);
  } catch (thrown) {
    throw new CauseError({
      code: 'invalid_spec',
      message: `what pool ${poolId} asks to be run cannot be given to a unit: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    });
  }
};

const occupied = (unit: string, { activeState, mainPid }: UnitFacts): CauseError =>
  new CauseError({
    code: 'identity_mismatch',
    message: `expected ${unit} to be inactive, found it ${activeState} with main process ${mainPid}, which no run record names; look at it with \`systemctl status ${unit}\` and stop it there`,
    details: { unit, activeState, mainPid },
  });

const notStarted = (unit: string, told: Exclude<Told, { kind: 'done' }>): CauseError =>
  told.kind === 'timeout'
    ? new CauseError({ code: 'start_timeout', message: `expected systemd to start ${unit} within ${startWithinMs} ms, found no end of the job` })
    : new CauseError({
        code: 'engine_exited',
        message: `expected systemd to start ${unit}, found: ${told.message}; where access is denied the polkit rule 50-pool-managerd.rules is missing, else \`journalctl -u ${unit}\` says more`,
      });

const endedAtOnce = (unit: string, result: string | null): CauseError =>
  new CauseError({
    code: 'engine_exited',
    message: `expected ${unit} to become the engine, found it ended before (${result ?? 'result unknown'}); \`journalctl -u ${unit}\` says why`,
  });

const notStopped = (unit: string, message: string): CauseError =>
  new CauseError({ code: 'unkillable', message: `expected systemd to stop ${unit}, found: ${message}`, details: { unit } });
