import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, copyFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { detachedLauncher } from '../../src/actors/launch/detached.ts';
import type { EngineExit, RunRecord } from '../../src/machines/vocabulary.ts';
import { isAlive, readProcStat } from '../../src/os/proc-stat.ts';
import { processLooker } from '../../src/os/process-table.ts';
import { engineHouse, fixtureEngine, planOf } from '../kit/engine-house.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { until } from '../kit/until.ts';

const options = { signal: 'SIGTERM', graceMs: 2_000, killWaitMs: 5_000 } as const;
const text = (path: string): string | null => (existsSync(path) && readFileSync(path, 'utf8') !== '' ? readFileSync(path, 'utf8') : null);

const exitOf = (house: Awaited<ReturnType<typeof engineHouse>>, run: RunRecord): Promise<EngineExit> =>
  new Promise((resolve) => onTestFinished(house.launcher.watch(run, resolve)));

describe('starting an engine', () => {
  it('has the record on disk before the first instruction of the engine', async () => {
    const house = await engineHouse();
    const [record, copy] = [join(house.state.dir, 'runs', 'pool-0.json'), join(house.dir, 'copy')];
    const run = await house.start('tells-record', [record, copy]);
    const seen = JSON.parse(await until('the engine to tell', () => text(copy)));
    expect(seen).toMatchObject({ pid: run.pid, startTime: run.startTime, incarnation: run.incarnation });
    expect(await house.state.runs.read('pool-0')).toEqual(run);
    expect(isAlive(run)).toBe(true);
  });

  it('gives it a session of its own, the planned environment, and no file but its three and the FIFO', async () => {
    const house = await engineHouse();
    const run = await house.start('tells-itself', [house.dir, 'a b', '$HOME', '']);
    await until('the engine to tell', () => text(join(house.dir, 'argv')));
    expect(readProcStat(run.pid)).toMatchObject({ session: run.pid, pgrp: run.pid });
    expect(text(join(house.dir, 'argv'))).toBe(`${house.dir} a b $HOME \n`);
    // The fixture is a shell itself and sets PWD.
    expect(
      text(join(house.dir, 'env'))
        ?.trim()
        .split('\n')
        .filter((line) => !/^(PWD|OLDPWD|SHLVL|_)=/.test(line)),
    ).toEqual(['PATH=/usr/local/bin:/usr/bin:/bin']);
    expect(Number(text(join(house.dir, 'oom')))).toBeGreaterThanOrEqual(0);
    expect(text(join(house.dir, 'cwd'))).toBe('/\n');
    const links = readdirSync(`/proc/${run.pid}/fd`).length;
    expect(text(join(house.dir, 'fds'))).not.toMatch(/socket:|pipe:/);
    expect(links).toBeGreaterThanOrEqual(4);
  });

  it('adds no variable of the shell in between', async () => {
    const house = await engineHouse();
    const { pid: _pid, startTime: _start, ...facts } = await house.start('never-listens');
    const logFile = await house.createLog('pool-0', 'env');
    const env = { PATH: '/usr/bin:/bin', ODD: "it's $HOME\\n" };
    const run = await house.launcher.start({ executable: '/usr/bin/env', argv: [], env }, { ...facts, incarnation: 'env', logFile });
    await exitOf(house, run);
    expect(
      text(logFile)
        ?.trim()
        .split('\n')
        .filter((line) => !line.startsWith('_='))
        .sort(),
    ).toEqual([`ODD=${env.ODD}`, `PATH=${env.PATH}`]);
  });

  it('passes on no file that the daemon itself was given', async () => {
    const house = await engineHouse();
    const program = resolve(import.meta.dirname, '../kit/launch-and-hang.ts');
    // High, since Node itself sees to the first few.
    const given = openSync('/etc/passwd', 'r');
    const child = spawn(process.execPath, [program, house.dir, fixtureEngine('never-listens')], {
      stdio: Array.from({ length: 201 }, (_, fd) => (fd === 1 ? 'pipe' : fd === 2 ? 'inherit' : fd === 200 ? given : 'ignore')),
    });
    closeSync(given);
    onTestFinished(() => void child.kill('SIGKILL'));
    const run = await until('the record', () => house.state.runs.read('pool-0'));
    expect(execFileSync('ls', ['-l', `/proc/${child.pid}/fd`]).toString()).toContain('/etc/passwd');
    await until('the engine to begin', () => readProcStat(run.pid)?.comm === 'sleep');
    expect(execFileSync('ls', ['-l', `/proc/${run.pid}/fd`]).toString()).not.toContain('/etc/passwd');
  });

  it('leaves nothing when the record cannot be written', async () => {
    const house = await engineHouse();
    const spoilt = { ...house.state.runs, write: () => Promise.reject(new Error('disk full')) };
    const launcher = detachedLauncher({ stateDir: house.state.dir, runs: spoilt, trees: house.trees, bootId: 'boot' });
    const run = await house.start('never-listens');
    const { pid: _pid, startTime: _start, ...facts } = { ...run, incarnation: 'spoilt' };
    const told = join(house.dir, 'copy');
    await expect(launcher.start(planOf('tells-record', ['/nowhere', told]), facts)).rejects.toThrow('disk full');
    expect(existsSync(told)).toBe(false);
    expect(readdirSync(join(house.state.dir, 'exits'))).toEqual([`pool-0.${run.incarnation}`]);
    expect(await house.state.runs.read('pool-0')).toBeNull();
    expect([...(await processLooker()(0)).values()].filter(({ ppid, pid }) => ppid === process.pid && pid !== run.pid)).toEqual([]);
  });

  it('says that the executable is not there, is none, or names no interpreter, before anything is started', async () => {
    const house = await engineHouse();
    await expect(house.start('not-there')).rejects.toMatchObject({
      reason: { code: 'engine_missing', message: expect.stringContaining('no such file') },
    });
    const plain = join(await temporaryDir(), 'plain');
    await copyFile(fixtureEngine('exits'), plain);
    await chmod(plain, 0o644);
    const run = await house.start('never-listens');
    const { pid: _pid, startTime: _start, ...facts } = run;
    await expect(house.launcher.start({ executable: plain, argv: [], env: {} }, facts)).rejects.toMatchObject({ reason: { code: 'engine_missing' } });
    await expect(house.launcher.start({ executable: house.dir, argv: [], env: {} }, facts)).rejects.toMatchObject({
      reason: { code: 'engine_missing' },
    });
  });
});

describe('seeing an engine end', () => {
  it('as its parent: code and signal, at once', async () => {
    const house = await engineHouse();
    expect(await exitOf(house, await house.start('exits', ['3', 'bye']))).toEqual({ code: 3, signal: null });
    const noticed = await thrice(async () => {
      const run = await house.start('never-listens');
      await until('the engine to begin', () => readProcStat(run.pid)?.comm === 'sleep');
      const exited = exitOf(house, run).then((exit) => ({ exit, mono: performance.now() }));
      const killed = performance.now();
      process.kill(run.pid, 'SIGKILL');
      const { exit, mono } = await exited;
      expect(exit).toEqual({ code: null, signal: 'SIGKILL' });
      return mono - killed;
    });
    expect(noticed).toBeLessThan(50);
  });

  it('also when it had ended before anybody watched, and only once', async () => {
    const house = await engineHouse();
    const run = await house.start('exits', ['0', 'bye']);
    await until('its end', () => readProcStat(run.pid) === null);
    let told = 0;
    house.launcher.watch(run, () => {
      told += 1;
    });
    await exitOf(house, run);
    expect(told).toBe(1);
  });

  it('not when watching was stopped', async () => {
    const house = await engineHouse();
    const run = await house.start('never-listens');
    let told = 0;
    house.launcher.watch(run, () => {
      told += 1;
    })();
    const exited = exitOf(house, run);
    process.kill(run.pid, 'SIGKILL');
    await exited;
    expect(told).toBe(0);
  });

  it('that closed every file it did not know, by its identity', async () => {
    const house = await engineHouse();
    const run = await house.start('listens.mjs', ['18650', 'closes']);
    const next = await engineHouse(house.dir);
    await until('it to listen', () => text(run.logFile)?.includes('listening'));
    let told = 0;
    onTestFinished(
      next.launcher.watch(run, () => {
        told += 1;
      }),
    );
    const begun = performance.now();
    await until('the time that dying may take to be over', () => performance.now() - begun > 400);
    expect(told).toBe(0);
    process.kill(run.pid, 'SIGKILL');
    await until('its end to be told', () => told === 1);
  });
});

describe('a daemon that was killed', () => {
  const program = resolve(import.meta.dirname, '../kit/launch-and-hang.ts');

  it('leaves its engine running, and the next one identifies it, sees its end and can end it', async () => {
    const house = await engineHouse();
    const daemon = spawn(process.execPath, [program, house.dir, fixtureEngine('never-listens')], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(daemon.stdout, 'data');
    daemon.kill('SIGKILL');
    await once(daemon, 'exit');
    const run = await until('the record', () => house.state.runs.read('pool-0'));
    expect(await house.launcher.identify(run)).toBe('ours');
    const exited = exitOf(house, run).then((exit) => ({ exit, mono: performance.now() }));
    const begun = performance.now();
    const outcome = await house.launcher.stop(run, options);
    expect(outcome).toEqual({ survivors: [], killed: false, exit: { code: null, signal: null } });
    const { exit, mono } = await exited;
    expect(exit).toEqual({ code: null, signal: null });
    expect(mono - begun).toBeLessThan(1_000);
    expect(await house.launcher.identify(run)).toBe('gone');
  });

  it('before the record was written leaves nothing', async () => {
    const dir = await temporaryDir();
    const daemon = spawn(process.execPath, [program, dir, fixtureEngine('tells-record'), 'before-record'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [said] = await once(daemon.stdout, 'data');
    const gate = Number(said.toString());
    expect(readProcStat(gate)).not.toBeNull();
    daemon.kill('SIGKILL');
    await until('the waiting shell to end', () => readProcStat(gate)?.state === 'Z' || readProcStat(gate) === null);
    expect(existsSync(join(dir, 'told'))).toBe(false);
  });

  it('in order waits for no shell that is stopped at its gate, which goes on to the engine when it may', async () => {
    const dir = await temporaryDir();
    const opening = resolve(import.meta.dirname, '../kit/open-stopped-gate.ts');
    const daemon = spawn(process.execPath, [opening, dir], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [said] = await once(daemon.stdout, 'data');
    const shell = Number(said.toString());
    onTestFinished(() => void (readProcStat(shell)?.comm === 'sh' && process.kill(shell, 'SIGKILL')));
    const [code] = daemon.exitCode === null ? await once(daemon, 'exit', { signal: AbortSignal.timeout(10_000) }) : [daemon.exitCode];
    expect([code, readProcStat(shell)?.state]).toEqual([0, 'T']);
    process.kill(shell, 'SIGCONT');
    await until('the engine to have begun and ended', () => [null, 'Z'].includes(readProcStat(shell)?.state ?? null));
  });

  it('is noticed within milliseconds through the FIFO', async () => {
    const noticed = await thrice(async () => {
      const house = await engineHouse();
      const run = await house.start('never-listens');
      await until('the engine to begin', () => readProcStat(run.pid)?.comm === 'sleep');
      const next = await engineHouse(house.dir);
      const exited = exitOf(next, run).then(() => performance.now());
      const killed = performance.now();
      process.kill(run.pid, 'SIGKILL');
      return (await exited) - killed;
    });
    expect(noticed).toBeLessThan(100);
  });
});

/** The least of three: a machine with other work to do can only add to what a thing takes. */
const thrice = async (measure: () => Promise<number>): Promise<number> => Math.min(await measure(), await measure(), await measure());
