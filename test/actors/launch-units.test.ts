/** Engines as units, as far as it can be shown without systemd: what is handed over, what is believed, what is refused. */
import { spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemctl, unitOf } from '../../src/actors/launch/systemctl.ts';
import { systemdLauncher } from '../../src/actors/launch/systemd.ts';
import { unitFiles } from '../../src/actors/launch/unit-files.ts';
import { parseSockets, unitListenerOwner } from '../../src/actors/launch/unit-listener.ts';
import { parseUnitSpec } from '../../src/actors/launch/unit-spec.ts';
import { watchUnit } from '../../src/actors/launch/unit-watch.ts';
import type { EngineExit, RunRecord } from '../../src/machines/vocabulary.ts';
import { bootId } from '../../src/os/boot-id.ts';
import { readProcStat } from '../../src/os/proc-stat.ts';
import { openStateStore } from '../../src/state/files.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { gpuRun } from '../kit/gpu-facts.ts';
import { firstCpu } from '../kit/scripted-driver.ts';
import { systemctlScript } from '../kit/systemctl-script.ts';
import { until } from '../kit/until.ts';

const good = {
  version: 1,
  poolId: 'pool-0',
  incarnation: 'abc123',
  executable: '/usr/bin/engine',
  argv: ['--port', '1'],
  env: { PATH: '/usr/bin' },
  logFile: '/var/lib/pool-managerd/logs/pool-0/1-abc123.log',
};

describe('What a unit is to run', () => {
  it('is taken as it was written', () => {
    expect(parseUnitSpec(JSON.stringify(good), 'pool-0')).toEqual(good);
  });

  it.each([
    ['poolId', { poolId: '../x' }],
    ['executable', { executable: 'engine' }],
    ['executable', { executable: '/usr/bin/../../etc/x' }],
    ['executable', { executable: '/usr/bin/' }],
    ['executable', { executable: '/usr/bin/a\0b' }],
    ['argv', { argv: ['a\0b'] }],
    ['env', { env: { 'A=B': 'x' } }],
    ['env', { env: { LD_PRELOAD: '/x.so' } }],
    ['env', { env: { NOTIFY_SOCKET: '@x' } }],
    ['env', { env: { LLORCH_API_TOKEN: 'x' } }],
    ['env', { env: { A: 'x\0' } }],
    ['incarnation', { incarnation: '' }],
    ['logFile', { logFile: '/var/lib/pool-managerd/logs/pool-1/x.log' }],
    ['logFile', { logFile: '/var/lib/pool-managerd/logs/pool-0/../../x' }],
    ['user', { user: 'root' }],
    ['version', { version: 2 }],
  ])('is refused for its %s: %j', (key, change) => {
    expect(() => parseUnitSpec(JSON.stringify({ ...good, ...change }), 'pool-0')).toThrow(key);
  });

  it('is refused by the unit of another pool', () => {
    expect(() => parseUnitSpec(JSON.stringify(good), 'pool-1')).toThrow("expected the unit's instance pool-1, found pool-0");
  });

  it.each(['..%2fx', 'a/b', 'A', '-a', 'a@b', '', 'a'.repeat(64)])('never becomes a unit of the name %j', (id) => {
    expect(() => unitOf(id)).toThrow('expected a pool id');
  });
});

interface Bed {
  readonly dir: string;
  readonly logFile: string;
  readonly specsDir: string;
  readonly enginesDir: string;
}

const makeBed = async (): Promise<Bed> => {
  const dir = await temporaryDir();
  const [specsDir, enginesDir] = [join(dir, 'specs'), join(dir, 'engines')];
  for (const one of [specsDir, join(enginesDir, 'pool-0'), join(dir, 'logs', 'pool-0')]) mkdirSync(one, { recursive: true });
  return { dir, specsDir, enginesDir, logFile: join(dir, 'logs', 'pool-0', '1-abc123.log') };
};

/** engine-exec as the unit runs it, but for the folders. */
const runEngineExec = (bed: Bed, withinMs: number) => {
  const module = join(import.meta.dirname, '../../src/engine-exec/engine-exec.ts');
  const script = `process.exitCode = await (await import(${JSON.stringify(module)})).engineExec(['pool-0'], ${JSON.stringify({ specsDir: bed.specsDir, wordWithinMs: withinMs })})`;
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const exit = new Promise<EngineExit>((resolve) => child.on('close', (code, signal) => resolve({ code, signal })));
  return { pid: child.pid ?? 0, exit, said: () => said };
};

describe('engine-exec', () => {
  it('becomes the engine once it is told so, in the same process, with that environment and its streams in the log', async () => {
    const bed = await makeBed();
    const files = unitFiles(bed);
    const argv = ['-c', 'echo "pid $$ $(env | grep -v ^_= | sort | tr "\\n" " ")"; echo oops >&2'];
    await files.prepare({ ...good, version: 1, executable: '/bin/sh', argv, env: { A: 'b', PATH: '/usr/bin:/bin' }, logFile: bed.logFile });
    expect(statSync(bed.logFile).mode & 0o777).toBe(0o620);
    const running = runEngineExec(bed, 20_000);
    const startTime = await until('engine-exec to run', () => readProcStat(running.pid)?.startTime);
    await files.letGo('pool-0', 'abc123');
    expect(await running.exit).toEqual({ code: 0, signal: null });
    expect(startTime).toBeGreaterThan(0);
    expect(readFileSync(bed.logFile, 'utf8')).toBe(`pid ${running.pid} A=b PATH=/usr/bin:/bin PWD=/ \noops\n`);
    expect(running.said()).toBe('');
  });

  it('puts it on the CPUs that it is to run on', async () => {
    const bed = await makeBed();
    const files = unitFiles(bed);
    const argv = ['-c', 'while read -r line; do case $line in Cpus_allowed_list*) echo "$line" ;; esac; done </proc/self/status'];
    await files.prepare({ ...good, version: 1, executable: '/bin/sh', argv, cpus: [firstCpu], logFile: bed.logFile });
    const running = runEngineExec(bed, 20_000);
    await files.letGo('pool-0', 'abc123');
    expect(await running.exit).toEqual({ code: 0, signal: null });
    expect(readFileSync(bed.logFile, 'utf8').trim()).toMatch(new RegExp(`^Cpus_allowed_list:\\s*${firstCpu}$`));
  });

  it('runs nothing for another incarnation than its own', async () => {
    const bed = await makeBed();
    const files = unitFiles(bed);
    await files.prepare({ ...good, version: 1, executable: '/bin/true', argv: [], logFile: bed.logFile });
    await files.letGo('pool-0', 'another');
    expect(await runEngineExec(bed, 300).exit).toEqual({ code: 75, signal: null });
    expect(readFileSync(bed.logFile, 'utf8')).toMatch(/expected the daemon to record this run/);
  });

  it('follows no link that stands where the log should be', async () => {
    const bed = await makeBed();
    const files = unitFiles(bed);
    await files.prepare({ ...good, version: 1, executable: '/bin/true', argv: [], logFile: bed.logFile });
    renameSync(bed.logFile, `${bed.logFile}.old`);
    symlinkSync(`${bed.logFile}.old`, bed.logFile);
    const running = runEngineExec(bed, 300);
    expect(await running.exit).toEqual({ code: 78, signal: null });
    expect(running.said()).toMatch(/ELOOP/);
  });
});

const ended = (invocationId: string, exitCode = 'exited', exitStatus = '3'): string =>
  JSON.stringify({ invocationId, result: 'exit-code', exitCode, exitStatus });
const invocation = 'a'.repeat(32);

/** A process that is there until the test ends or it is killed. */
const sleeper = async (): Promise<{ readonly run: RunRecord; readonly kill: () => void }> => {
  const child = spawn('sleep', ['1000']);
  onTestFinished(() => void child.kill('SIGKILL'));
  const stat = await until('the process', () => readProcStat(child.pid ?? 0));
  const facts = {
    poolId: 'pool-0',
    launcher: 'systemd',
    pid: stat.pid,
    startTime: stat.startTime,
    unit: unitOf('pool-0'),
    invocationId: invocation,
    bootId: bootId(),
  } as const;
  return { run: gpuRun(facts), kill: () => void child.kill('SIGKILL') };
};

describe('The end of a unit', () => {
  const watching = (run: RunRecord, bed: Bed): readonly EngineExit[] => {
    const exits: EngineExit[] = [];
    onTestFinished(watchUnit(run, unitFiles(bed), (exit) => exits.push(exit)));
    return exits;
  };

  it.each([
    ['exited', '3', { code: 3, signal: null }],
    ['killed', 'KILL', { code: null, signal: 'SIGKILL' }],
    ['dumped', 'SEGV', { code: null, signal: 'SIGSEGV' }],
    ['', '', { code: null, signal: null }],
  ])('is told as the unit says it: %s %s', async (code, status, exit) => {
    const bed = await makeBed();
    const { run } = await sleeper();
    const exits = watching(run, bed);
    writeFileSync(join(bed.enginesDir, 'pool-0', '.exit'), ended(invocation, code, status));
    renameSync(join(bed.enginesDir, 'pool-0', '.exit'), join(bed.enginesDir, 'pool-0', 'exit.json'));
    await until('the end', () => exits.length > 0);
    expect(exits).toEqual([exit]);
  });

  it('is not that of another run', async () => {
    const bed = await makeBed();
    const { run, kill } = await sleeper();
    writeFileSync(join(bed.enginesDir, 'pool-0', 'exit.json'), ended('b'.repeat(32)));
    const exits = watching(run, bed);
    appendFileSync(join(bed.enginesDir, 'pool-0', 'exit.json'), ' ');
    expect(exits).toEqual([]);
    kill();
    await until('the end, seen without a word of the unit', () => exits.length > 0, 8_000);
    expect(exits).toEqual([{ code: null, signal: null }]);
  });
});

describe('The systemd launcher', () => {
  const launcherIn = async (bed: Bed, onStart?: string) => {
    const script = systemctlScript(bed.dir, onStart);
    const store = await openStateStore(join(bed.dir, 'state'));
    const launcher = systemdLauncher({ systemctl: systemctl(script.executable), files: unitFiles(bed), runs: store.runs, bootId: bootId() });
    return { script, store, launcher };
  };
  const plan = { executable: '/bin/true', argv: [], env: {} };
  const factsIn = (bed: Bed) => {
    const {
      pid: _pid,
      startTime: _startTime,
      unit: _unit,
      invocationId: _invocationId,
      ...facts
    } = gpuRun({ poolId: 'pool-0', incarnation: 'abc123', bootId: bootId(), logFile: bed.logFile });
    return facts;
  };

  it('starts nothing beside a unit that no record names', async () => {
    const bed = await makeBed();
    const { script, launcher } = await launcherIn(bed);
    script.says({ ActiveState: 'active', MainPID: 7, InvocationID: invocation });
    await expect(launcher.start(plan, factsIn(bed))).rejects.toMatchObject({ reason: { code: 'identity_mismatch' } });
    expect(readFileSync(join(bed.dir, 'calls'), 'utf8')).not.toMatch(/ start /);
  });

  it('says what systemd said, undoes the start, and leaves no record', async () => {
    const bed = await makeBed();
    const { script, store, launcher } = await launcherIn(bed, 'echo "Access denied" >&2; exit 4');
    script.says({ ActiveState: 'inactive', MainPID: 0, InvocationID: '' });
    await expect(launcher.start(plan, factsIn(bed))).rejects.toMatchObject({
      reason: { code: 'engine_exited', message: expect.stringMatching(/Access denied.*50-pool-managerd\.rules/) },
    });
    expect(readFileSync(join(bed.dir, 'calls'), 'utf8')).toMatch(/stop --no-block llama-engine@pool-0\.service/);
    expect(await store.runs.read('pool-0')).toBeNull();
  });

  it('has the record on disk before the engine is let go', async () => {
    const bed = await makeBed();
    const { run } = await sleeper();
    const facts = join(bed.dir, 'facts');
    const { script, store, launcher } = await launcherIn(
      bed,
      `printf 'ActiveState=active\\nMainPID=${run.pid}\\nInvocationID=${invocation}\\n' > '${facts}'`,
    );
    script.says({ ActiveState: 'inactive', MainPID: 0, InvocationID: '' });
    const started = await launcher.start(plan, factsIn(bed));
    expect(started).toMatchObject({
      launcher: 'systemd',
      pid: run.pid,
      startTime: run.startTime,
      unit: 'llama-engine@pool-0.service',
      invocationId: invocation,
    });
    expect(await store.runs.read('pool-0')).toEqual(started);
    expect(readFileSync(join(bed.specsDir, 'pool-0.go'), 'utf8')).toBe('abc123');
    const recorded = statSync(join(store.dir, 'runs', 'pool-0.json')).mtimeMs;
    expect(recorded).toBeLessThanOrEqual(statSync(join(bed.specsDir, 'pool-0.go')).mtimeMs);
  });

  it.each([
    ['gone', { ActiveState: 'inactive', MainPID: 0, InvocationID: '' }],
    ['stranger', { ActiveState: 'active', MainPID: 7, InvocationID: 'b'.repeat(32) }],
    // The process is alive, but not in the unit: its pid came to be another's.
    ['gone', { ActiveState: 'active', MainPID: 7, InvocationID: invocation }],
  ] as const)('finds a run %s where systemd says %j', async (verdict, facts) => {
    const bed = await makeBed();
    const { run } = await sleeper();
    const { script, launcher } = await launcherIn(bed);
    script.says(facts);
    expect(await launcher.identify(run)).toBe(verdict);
  });

  it('finds every run of another boot gone, and signals nothing of it', async () => {
    const bed = await makeBed();
    const { run } = await sleeper();
    const { script, launcher } = await launcherIn(bed);
    script.says({ ActiveState: 'active', MainPID: run.pid, InvocationID: invocation });
    expect(await launcher.identify({ ...run, bootId: 'another' })).toBe('gone');
  });

  it('stops no unit that runs something else by now', async () => {
    const bed = await makeBed();
    const { run } = await sleeper();
    const { script, launcher } = await launcherIn(bed);
    script.says({ ActiveState: 'active', MainPID: 7, InvocationID: 'b'.repeat(32) });
    expect(await launcher.stop(run, { signal: 'SIGTERM', graceMs: 100, killWaitMs: 100 })).toEqual({
      survivors: [],
      killed: false,
      exit: { code: null, signal: null },
    });
    expect(readFileSync(join(bed.dir, 'calls'), 'utf8')).not.toMatch(/stop/);
  });
});

describe('The listener of a unit', () => {
  const line = (ino: number, group: string): string =>
    `LISTEN 0 512 127.0.0.1:18080 0.0.0.0:* uid:994 ino:${ino} sk:3 ${group === '' ? '' : `cgroup:${group} `}<->`;

  it('is read from what ss prints', () => {
    expect(parseSockets(`${line(5, '/llama.slice/x')}\n${line(6, '')}\n\n`)).toEqual([
      { inode: '5', uid: 994, controlGroup: '/llama.slice/x' },
      { inode: '6', uid: 994, controlGroup: null },
    ]);
    expect(parseSockets('LISTEN 0 511 127.0.0.1:9200 0.0.0.0:* ino:9 sk:5 cgroup:/init.scope <->')).toEqual([
      { inode: '9', uid: 0, controlGroup: '/init.scope' },
    ]);
  });

  it.each([
    ['ours', (inode: string, uid: number) => [{ inode, uid, controlGroup: '/llama.slice/llama-engines.slice/llama-engine@pool-0.service' }]],
    ['foreign', (inode: string, uid: number) => [{ inode, uid, controlGroup: '/llama.slice/llama-engines.slice/llama-engine@pool-1.service' }]],
    ['ours', (inode: string, uid: number) => [{ inode, uid, controlGroup: null }]],
    ['foreign', (inode: string, uid: number) => [{ inode, uid: uid + 1, controlGroup: null }]],
    ['unknown', () => []],
    ['unknown', () => null],
  ])('is %s by its control group, else by its user', async (owner, list) => {
    const { run } = await sleeper();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const inode = /^\s*\d+: 0100007F:(\w+) \S+ 0A (?:\S+ +){5}(\d+)/;
    const found = readFileSync('/proc/net/tcp', 'utf8')
      .split('\n')
      .map((text) => inode.exec(text))
      .find((match) => Number.parseInt(match?.[1] ?? '', 16) === port)?.[2];
    expect(found).toBeDefined();
    const ask = unitListenerOwner(async () => list(found ?? '', process.getuid?.() ?? 0));
    expect(await ask({ ...run, host: '127.0.0.1', port })).toBe(owner);
  });
});
