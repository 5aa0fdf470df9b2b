/**
 * Each engine as a unit of its own, `llama-engine@<pool>.service`: another user, control group and limits, and a life that no
 * end of the daemon touches. Needs the units and the polkit rule of `packaging/`.
 *
 * A run is known by its unit and InvocationID, its process by pid and start time. The unit's first process waits until the run is
 * recorded and becomes the engine then, so there is no engine without a record.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { CauseError } from '../../cause.ts';
import { stamp } from '../../clock.ts';
import type { LaunchPlan } from '../../engines/adapter.ts';
import type { RunRecord } from '../../machines/vocabulary.ts';
import { identityOfPid, isAlive, type ProcIdentity } from '../../os/proc-stat.ts';
import { engineMissing, whyNotExecutable } from '../../provisioning/engines/on-machine.ts';
import type { Shelf } from '../../state/store.ts';
import type { Launcher, RunFacts, StopOutcome } from '../launcher.ts';
import { type Systemctl, type Told, type UnitFacts, unitOf } from './systemctl.ts';
import { controlGroupOf, isInUnit, processesIn } from './unit-cgroup.ts';
import type { UnitFiles } from './unit-files.ts';
import { mostSpecBytes, parseUnitSpec, type UnitSpec } from './unit-spec.ts';
import { watchUnit } from './unit-watch.ts';

export interface SystemdLauncherDeps {
  readonly systemctl: Systemctl;
  readonly files: UnitFiles;
  readonly runs: Shelf<RunRecord>;
  readonly bootId: string;
  readonly cgroupRoot?: string;
}

/** Above TimeoutStartSec= of the unit. */
const startWithinMs = 35_000;
const pollMs = 20;
const idle = ['inactive', 'failed'];

export const systemdLauncher = ({ systemctl, files, runs, bootId, cgroupRoot }: SystemdLauncherDeps): Launcher => {
  const stopping = new Map<string, Promise<StopOutcome>>();

  const start: Launcher['start'] = async (plan, facts) => {
    const unit = unitOf(facts.poolId);
    const problem = await whyNotExecutable(plan.executable);
    if (problem !== null) throw new CauseError(engineMissing(plan.executable, problem));
    const before = await systemctl.show(unit);
    if (before !== null && !idle.includes(before.activeState)) throw occupied(unit, before);
    await files.prepare(specOf(plan, facts));
    try {
      const { at, mono } = stamp();
      const told = await systemctl.start(unit, startWithinMs);
      if (told.kind !== 'done') throw notStarted(unit, told);
      const run = runOf(facts, await mainOf(unit), { startedAt: at, startedMono: mono });
      await runs.write(run.poolId, run);
      await files.letGo(run.poolId, run.incarnation);
      return run;
    } catch (thrown) {
      await undoStart(unit, facts.poolId);
      throw thrown;
    }
  };

  const mainOf = async (unit: string): Promise<ProcIdentity & { readonly invocationId: string }> => {
    const facts = await systemctl.show(unit);
    const found = facts === null ? null : identityOfPid(facts.mainPid);
    if (found === null || facts?.invocationId == null) throw endedAtOnce(unit);
    return { ...found, invocationId: facts.invocationId };
  };

  /** Its first process runs nothing without the word, so it may be left to systemd. A write that failed may have left the record. */
  const undoStart = async (unit: string, poolId: string): Promise<void> => {
    await systemctl.stop(unit);
    await runs.remove(poolId).catch(() => undefined);
  };

  const identify: Launcher['identify'] = async (run) => {
    if (run.bootId !== bootId) return 'gone';
    const facts = await systemctl.show(unitOf(run.poolId));
    // A systemd that does not answer takes nothing from what /proc proves.
    const isSameRun = facts === null || facts.invocationId === run.invocationId;
    if (!isSameRun) return idle.includes(facts.activeState) ? 'gone' : 'stranger';
    if (!isAlive(run) || !isInUnit(run.pid, unitOf(run.poolId))) return 'gone';
    // The daemon before this one may have ended between the record and the word.
    await files.letGo(run.poolId, run.incarnation);
    return 'ours';
  };

  const outcome = async (run: RunRecord, survivors: readonly ProcIdentity[]): Promise<StopOutcome> => {
    const ended = await files.ended(run.poolId);
    const exit = ended?.invocationId === run.invocationId ? ended.exit : { code: null, signal: null };
    const pids = survivors.map(({ pid }) => pid);
    return { survivors: pids, killed: exit.signal === 'SIGKILL' || pids.length > 0, exit: pids.includes(run.pid) ? null : exit };
  };

  const end: Launcher['stop'] = async (run, { signal, graceMs, killWaitMs }) => {
    const unit = unitOf(run.poolId);
    const facts = await systemctl.show(unit);
    if (facts !== null && (facts.invocationId !== run.invocationId || idle.includes(facts.activeState)))
      return { ...(await outcome(run, [])), killed: false };
    await files.writeStop(run.poolId, signal, graceMs);
    const told = await systemctl.stop(unit);
    if (told.kind === 'refused') throw notStopped(unit, told.message);
    const group = controlGroupOf(run);
    const left = (): readonly ProcIdentity[] => processesIn(group, cgroupRoot);
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

  return {
    name: 'systemd',
    start,
    watch: (run, onExit) => watchUnit(run, files, onExit),
    stop: (run, options) => {
      const current = stopping.get(run.incarnation) ?? end(run, options).finally(() => stopping.delete(run.incarnation));
      stopping.set(run.incarnation, current);
      return current;
    },
    identify,
    forget: (run) => files.remove(run.poolId, run.incarnation),
  };
};

const runOf = (
  facts: RunFacts,
  { pid, startTime, invocationId }: ProcIdentity & { readonly invocationId: string },
  at: Pick<RunRecord, 'startedAt' | 'startedMono'>,
): RunRecord => ({ ...facts, launcher: 'systemd', pid, startTime, unit: unitOf(facts.poolId), invocationId, exitFifo: null, ...at });

/** The daemon refuses what engine-exec would refuse, before anything is started. */
const specOf = ({ executable, argv, env, cpus }: LaunchPlan, { poolId, incarnation, logFile }: RunFacts): UnitSpec => {
  try {
    const text = JSON.stringify({ version: 1, poolId, incarnation, executable, argv, env, logFile, cpus });
    if (text.length > mostSpecBytes) throw new Error(`expected at most ${mostSpecBytes} bytes, found ${text.length}`);
    return parseUnitSpec(text, poolId);
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

const endedAtOnce = (unit: string): CauseError =>
  new CauseError({ code: 'engine_exited', message: `expected ${unit} to wait for its record, found it ended; \`journalctl -u ${unit}\` says why` });

const notStopped = (unit: string, message: string): CauseError =>
  new CauseError({ code: 'unkillable', message: `expected systemd to stop ${unit}, found: ${message}`, details: { unit } });
