import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { identityOfPid, isAlive, type ProcIdentity, readProcStat } from '../../src/os/proc-stat.ts';
import { engineHouse } from '../kit/engine-house.ts';
import { gpuRun } from '../kit/gpu-facts.ts';
import { until } from '../kit/until.ts';

const quick = { signal: 'SIGTERM', graceMs: 300, killWaitMs: 5_000 } as const;
const patient = { ...quick, graceMs: 5_000 };

const pidIn = (path: string): Promise<ProcIdentity> =>
  until('a pid to be written', () => (existsSync(path) ? identityOfPid(Number(readFileSync(path, 'utf8')) || 0) : null));

/** A process that has nothing to do with any engine, leading a session as engines do. */
const bystander = async (): Promise<ChildProcess & { readonly pid: number }> => {
  const child = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
  await once(child, 'spawn');
  onTestFinished(() => void child.kill('SIGKILL'));
  if (child.pid === undefined) throw new Error('no pid');
  return Object.assign(child, { pid: child.pid });
};

describe('ending an engine', () => {
  it('that obeys takes milliseconds and no KILL', async () => {
    const house = await engineHouse();
    const run = await house.start('never-listens');
    await until('the engine to begin', () => readProcStat(run.pid)?.comm === 'sleep');
    const begun = performance.now();
    expect(await house.launcher.stop(run, patient)).toEqual({ survivors: [], killed: false, exit: { code: null, signal: 'SIGTERM' } });
    expect(performance.now() - begun).toBeLessThan(patient.graceMs / 2);
  });

  it('that ignores SIGTERM is killed after the grace, not before', async () => {
    const house = await engineHouse();
    const run = await house.start('ignores-sigterm');
    await until('it to be deaf', () => readFileSync(run.logFile, 'utf8').includes('deaf'));
    const begun = performance.now();
    expect(await house.launcher.stop(run, quick)).toEqual({ survivors: [], killed: true, exit: { code: null, signal: 'SIGKILL' } });
    expect(performance.now() - begun).toBeGreaterThanOrEqual(quick.graceMs);
    expect(performance.now() - begun).toBeLessThan(quick.graceMs + 2_000);
  });

  it('that is stopped (SIGSTOP) is continued, and ends as in time as any other', async () => {
    const house = await engineHouse();
    const run = await house.start('never-listens');
    await until('the engine to begin', () => readProcStat(run.pid)?.comm === 'sleep');
    process.kill(run.pid, 'SIGSTOP');
    await until('it to stop', () => readProcStat(run.pid)?.state === 'T');
    const begun = performance.now();
    expect(await house.launcher.stop(run, patient)).toMatchObject({ survivors: [], killed: false, exit: { signal: 'SIGTERM' } });
    expect(performance.now() - begun).toBeLessThan(patient.graceMs / 2);
  });

  it('ends a child in a session of its own that ignores SIGTERM', async () => {
    const house = await engineHouse();
    const run = await house.start('forks-setsid-grandchild', [join(house.dir, 'pid')]);
    const grandchild = await pidIn(join(house.dir, 'pid'));
    expect(readProcStat(grandchild.pid)?.session).toBe(grandchild.pid);
    expect(await house.launcher.stop(run, quick)).toMatchObject({ survivors: [], killed: true });
    expect(isAlive(grandchild)).toBe(false);
  });

  it('ends what init had adopted before anybody looked, found by the FIFO it holds', async () => {
    const house = await engineHouse();
    const run = await house.start('forks-orphan', [join(house.dir, 'pid')]);
    const orphan = await pidIn(join(house.dir, 'pid'));
    expect(await house.launcher.stop(run, quick)).toMatchObject({ survivors: [], killed: true });
    expect(isAlive(orphan)).toBe(false);
  });

  it('ends what the root left behind when it crashed, also for the next daemon', async () => {
    const house = await engineHouse();
    const run = await house.start('forks-setsid-grandchild', [join(house.dir, 'pid')]);
    const grandchild = await pidIn(join(house.dir, 'pid'));
    await house.trees.refresh(run);
    expect(await house.state.trees.read('pool-0')).toMatchObject({ incarnation: run.incarnation, descendants: expect.arrayContaining([grandchild]) });
    process.kill(run.pid, 'SIGKILL');
    const next = await engineHouse(house.dir);
    await until('the root to be gone', () => !isAlive(run));
    // Without its FIFO only the record tells.
    const recorded = { ...run, exitFifo: null };
    expect(await next.launcher.identify(recorded)).toBe('gone');
    expect(await next.launcher.stop(recorded, quick)).toMatchObject({ survivors: [], killed: true });
    expect(isAlive(grandchild)).toBe(false);
  });

  it('is done once when asked for twice at once, and again when nothing is left', async () => {
    const house = await engineHouse();
    const run = await house.start('never-listens');
    const [one, other] = await Promise.all([house.launcher.stop(run, quick), house.launcher.stop(run, quick)]);
    expect(one).toEqual(other);
    await house.launcher.forget(run);
    expect(await house.launcher.stop(run, quick)).toEqual({ survivors: [], killed: false, exit: { code: null, signal: null } });
  });

  it.skipIf(!existsSync('/sys/fs/cgroup/freezer/tasks') || process.getuid?.() !== 0)(
    'reports survivors when KILL has no effect (v1 freezer)',
    async () => {
      const house = await engineHouse();
      const run = await house.start('never-listens');
      const cgroup = `/sys/fs/cgroup/freezer/pool-managerd-test-${process.pid}`;
      mkdirSync(cgroup);
      writeFileSync(join(cgroup, 'cgroup.procs'), String(run.pid));
      writeFileSync(join(cgroup, 'freezer.state'), 'FROZEN');
      onTestFinished(async () => {
        writeFileSync(join(cgroup, 'freezer.state'), 'THAWED');
        await until('the cgroup to be empty', () => readFileSync(join(cgroup, 'cgroup.procs'), 'utf8') === '');
        rmdirSync(cgroup);
      });
      expect(await house.launcher.stop(run, { ...quick, graceMs: 50, killWaitMs: 200 })).toEqual({ survivors: [run.pid], killed: true, exit: null });
    },
  );
});

describe('a stranger', () => {
  it('is never signalled, whatever records say of it', async () => {
    const house = await engineHouse();
    const child = await bystander();
    const identity = identityOfPid(child.pid);
    if (identity === null) throw new Error('no bystander');
    const run = await house.start('exits', ['0', '']);
    for (let turn = 0; turn < 1_000; turn += 1) {
      const forged = gpuRun({
        ...run,
        incarnation: `forged${turn}`,
        pid: [child.pid, 1, 0, -1, -child.pid, process.pid, Number.NaN][turn % 7] ?? 0,
        startTime: identity.startTime + (turn % 7 === 0 ? turn + 1 : 0),
        bootId: turn % 2 === 0 ? run.bootId : 'another boot',
        exitFifo: null,
      });
      expect(await house.launcher.identify(forged)).not.toBe('ours');
      if (turn % 10 === 0)
        expect(await house.launcher.stop(forged, { ...quick, graceMs: 0, killWaitMs: 0 })).toMatchObject({ survivors: [], killed: false });
    }
    expect(isAlive(identity)).toBe(true);
    expect(child.exitCode ?? child.signalCode).toBeNull();
  });

  it('that got the pid of a dead engine is told apart, and its boot is asked first', async () => {
    const house = await engineHouse();
    const child = await bystander();
    const identity = identityOfPid(child.pid);
    if (identity === null) throw new Error('no bystander');
    const { bootId } = await house.start('exits', ['0', '']);
    const facts = { pid: child.pid, exitFifo: null };
    expect(await house.launcher.identify(gpuRun({ ...facts, incarnation: 'a', startTime: identity.startTime - 1, bootId }))).toBe('stranger');
    expect(await house.launcher.identify(gpuRun({ ...facts, incarnation: 'b', startTime: identity.startTime, bootId: 'another boot' }))).toBe('gone');
  });

  it('that is no session leader is none of ours', async () => {
    const house = await engineHouse();
    const { bootId } = await house.start('exits', ['0', '']);
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
    onTestFinished(() => void child.kill('SIGKILL'));
    const identity = await until('its identity', () => identityOfPid(child.pid ?? 0));
    expect(await house.launcher.identify(gpuRun({ ...identity, incarnation: 'a', bootId, exitFifo: null }))).toBe('stranger');
  });

  it('that leads a session of its own is left out of every tree', async () => {
    const house = await engineHouse();
    const child = await bystander();
    const run = await house.start('never-listens');
    const members = await house.trees.membersOf(run, 'now');
    expect(members.map(({ pid }) => pid)).toEqual([run.pid]);
    expect(identityOfPid(child.pid)).not.toBeNull();
  });
});
