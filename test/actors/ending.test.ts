/** How the end of a real engine is explained: by its output, by the kernel, or not at all. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { endingOf } from '../../src/actors/launch/ending.ts';
import type { EngineExit, RunRecord } from '../../src/machines/vocabulary.ts';
import { readKernelLog } from '../../src/os/kernel-log.ts';
import { engineHouse } from '../kit/engine-house.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { gpuRun, gpuSpec } from '../kit/gpu-facts.ts';
import { until } from '../kit/until.ts';

const killed: EngineExit = { code: null, signal: 'SIGKILL' };
const oomLines = (pid: number) => [
  {
    mono: Number.MAX_SAFE_INTEGER,
    text: `oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/engines,task_memcg=/engines/pool-0,task=python3,pid=${pid},uid=0`,
  },
  {
    mono: Number.MAX_SAFE_INTEGER,
    text: `Memory cgroup out of memory: Killed process ${pid} (python3) total-vm:1kB, anon-rss:1048576kB, file-rss:0kB, shmem-rss:0kB`,
  },
];

const runWith = async (output: string | null): Promise<RunRecord> => {
  const logFile = join(await temporaryDir(), 'engine.log');
  if (output !== null) writeFileSync(logFile, output);
  return gpuRun({ pid: 4_242, logFile, engine: 'llamacpp', spec: gpuSpec({}) });
};
const silent = { pids: [4_242], readKernelLog: async () => [] };

describe('an ending', () => {
  it('has the last words of the engine: at most 50 lines and 8 KiB, blank ones and secrets out', async () => {
    const few = await endingOf(await runWith('first\n\n  \nHF_TOKEN=hf_abcdefghijklmnopqrstuvwxyz\nno newline'), { code: 3, signal: null }, silent);
    expect(few.tail).toEqual(['first', 'HF_TOKEN=[redacted]', 'no newline']);
    const many = await endingOf(
      await runWith(Array.from({ length: 500 }, (_, index) => `line ${index}\n`).join('')),
      { code: 3, signal: null },
      silent,
    );
    expect(many.tail).toHaveLength(50);
    expect(many.tail.at(-1)).toBe('line 499');
    const long = await endingOf(await runWith(`${'x'.repeat(5_000)}\n`.repeat(20)), { code: 3, signal: null }, silent);
    expect(Buffer.byteLength(long.tail.join('\n'))).toBeLessThanOrEqual(8 * 1024);
    expect(long.tail).toHaveLength(4);
  });

  it('is told without a log too, and with one that cannot be read', async () => {
    const missing = await endingOf(await runWith(null), { code: 3, signal: null }, silent);
    expect(missing).toMatchObject({ cause: { code: 'engine_exited', message: expect.stringContaining('exit code 3') }, tail: [] });
    const folder = gpuRun({ logFile: await temporaryDir(), engine: 'llamacpp' });
    expect(await endingOf(folder, killed, silent)).toMatchObject({ cause: { code: 'engine_exited' }, tail: [] });
  });

  it('is read behind a backtrace of many threads', async () => {
    const threads = Array.from({ length: 200 }, (_, index) => `[New LWP ${index}]\n#${index}  0x00007f in clone3 () from libc.so.6\n`).join('');
    const run = await runWith(`CUDA error: an illegal memory access was encountered\n${threads}[Inferior 1 (process 1) detached]\n`);
    expect((await endingOf(run, { code: null, signal: 'SIGABRT' }, silent)).cause).toMatchObject({
      code: 'cuda_error',
      message: expect.stringContaining('illegal memory access'),
    });
  });

  it('by the kernel for want of host memory is told from one for want of VRAM', async () => {
    const run = await runWith('srv  llama_server: listening on http://127.0.0.1:1\n');
    const readLog = async () => oomLines(4_242);
    expect((await endingOf(run, killed, { ...silent, readKernelLog: readLog })).cause).toEqual({
      code: 'oom_killed',
      message: expect.stringMatching(/kernel killed it when it held 1024 MiB .*\/engines came to its limit.*not VRAM/),
      details: {
        code: null,
        signal: 'SIGKILL',
        pid: 4_242,
        comm: 'python3',
        scope: 'cgroup',
        cgroup: '/engines',
        anon_rss_bytes: 1_073_741_824,
        file_rss_bytes: 0,
        shmem_rss_bytes: 0,
      },
    });
    const full = await runWith('CUDA error: out of memory\n');
    expect((await endingOf(full, { code: 1, signal: null }, { ...silent, readKernelLog: readLog })).cause.code).toBe('cuda_oom');
  });

  it('of the whole, because the kernel killed one of its processes, names that one', async () => {
    const run = await runWith('Engine core died\n');
    const deps = { pids: [4_242, 4_300], readKernelLog: async () => oomLines(4_300) };
    expect((await endingOf(run, { code: 1, signal: null }, deps)).cause).toMatchObject({
      code: 'oom_killed',
      message: expect.stringContaining('its process 4300 (python3)'),
    });
    expect((await endingOf(run, { code: 0, signal: null }, deps)).cause.code).toBe('engine_completed');
  });

  it('stays unknown where the kernel may not be asked', async () => {
    const run = await runWith('last words\n');
    for (const readLog of [async () => null, () => Promise.reject(new Error('EPERM'))])
      expect((await endingOf(run, killed, { ...silent, readKernelLog: readLog })).cause).toMatchObject({
        code: 'engine_exited',
        message: expect.stringMatching(/last words; whether the kernel did that .* is not known/),
      });
    expect((await endingOf(run, killed, silent)).cause.message).toMatch(/last words; the kernel did not do that for want of memory/);
    expect((await endingOf(run, { code: 1, signal: null }, silent)).cause.message).toMatch(/last words$/);
  });
});

const memory = '/sys/fs/cgroup/memory';
const mayRead = (await readKernelLog(() => true, 2_000)) !== null;
const possible = process.getuid?.() === 0 && existsSync(join(memory, 'cgroup.procs')) && mayRead;

/** A memory cgroup of version 1 gives a process a limit without systemd. */
describe.skipIf(!possible)('faults row 14: an engine that the kernel kills', () => {
  it('is seen to be killed by the kernel, with its numbers', async () => {
    const group = join(memory, `pool-managerd-test-${process.pid}`);
    mkdirSync(group);
    onTestFinished(async () => {
      await until('the group to be empty', () => readFileSync(join(group, 'cgroup.procs'), 'utf8') === '');
      rmdirSync(group);
    });
    writeFileSync(join(group, 'memory.limit_in_bytes'), String(32 * 1024 * 1024));
    const house = await engineHouse();
    const run = await house.start('grows', [join(group, 'cgroup.procs')]);
    const exit = await new Promise<EngineExit>((resolve) => house.launcher.watch(run, resolve));
    expect(exit).toEqual(killed);
    const { cause } = await endingOf(run, exit, { pids: house.trees.pidsOf(run), readKernelLog });
    expect(cause).toMatchObject({
      code: 'oom_killed',
      details: { pid: run.pid, scope: 'cgroup', cgroup: expect.stringContaining('pool-managerd-test'), anon_rss_bytes: expect.any(Number) },
    });
    expect(cause.details?.['anon_rss_bytes']).toBeGreaterThan(8 * 1024 * 1024);
  }, 20_000);
});

describe.skipIf(!mayRead)('the log of the kernel', () => {
  it('is read to its end and no further, without waiting for what is still to come', async () => {
    const messages = await readKernelLog(() => true, 5_000);
    expect(messages?.length).toBeGreaterThan(0);
    expect(messages?.length).toBeLessThanOrEqual(64);
    expect(messages?.map(({ mono }) => mono)).toEqual(messages?.map(({ mono }) => mono).toSorted((one, other) => one - other));
  });

  it('is not there when the deadline has passed', async () => {
    expect(await readKernelLog(() => true, 0)).toBeNull();
  });
});
