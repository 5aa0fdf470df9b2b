/**
 * Reads the facts of GPUs so many times, in one way, and prints what a set of them cost: CPU of this process and of all that it
 * started, and time until it was there. `node gpu-facts.ts call|loop|nvml COUNT`
 */
import { readdirSync, readFileSync } from 'node:fs';
import { isCause } from '../../src/cause.ts';
import { nvidiaSmi } from '../../src/gpu/nvidia-smi.ts';
import { nvml } from '../../src/gpu/nvml/nvml.ts';
import { gpuFields, parseGpus } from '../../src/gpu/parse-csv.ts';
import { childRunner } from '../../src/gpu/run-child.ts';

export interface GpuFactsCost {
  readonly cpuMs: number;
  /** Null: sets come when they come. */
  readonly wallMs: number | null;
}

const [way, countText] = process.argv.slice(2);
const count = Number(countText);
const withinMs = 30_000;
const warmUp = 50;

/** Milliseconds, in ticks of 10: own, of children that are gone, of children that are there. */
const cpuOfAll = (): number => {
  const own = process.cpuUsage();
  return (own.user + own.system) / 1000 + ticksOf('self', [15, 16]) * 10 + childPids().reduce((sum, pid) => sum + ticksOf(pid, [13, 14]) * 10, 0);
};
const ticksOf = (pid: string, fields: readonly number[]): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const values = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.reduce((sum, field) => sum + Number(values[field - 2]), 0);
};
const childPids = (): readonly string[] =>
  readdirSync('/proc/self/task').flatMap((task) =>
    readFileSync(`/proc/self/task/${task}/children`, 'utf8')
      .split(' ')
      .filter((pid) => pid !== ''),
  );

const eachTime = async (read: () => Promise<unknown>): Promise<GpuFactsCost> => {
  for (let round = 0; round < warmUp; round += 1) await read();
  const [cpu, begun] = [cpuOfAll(), performance.now()];
  for (let round = 0; round < count; round += 1) await read();
  return { cpuMs: (cpuOfAll() - cpu) / count, wallMs: (performance.now() - begun) / count };
};

const byCalls = (): Promise<GpuFactsCost> => {
  const runner = childRunner({ executable: 'nvidia-smi', env: process.env });
  return eachTime(async () => {
    const result = await runner.run([`--query-gpu=${gpuFields.join(',')}`, '--format=csv,noheader,nounits'], withinMs);
    if (result.end !== 'exited' || parseGpus(result.stdout, gpuFields).rows.length !== 8)
      throw new Error(`expected 8 cards, found ${JSON.stringify(result)}`);
  });
};

const byNvml = async (): Promise<GpuFactsCost> => {
  const source = nvml();
  const cost = await eachTime(async () => {
    const read = await source.read(withinMs);
    if (isCause(read)) throw new Error(read.message);
  });
  source.close();
  return cost;
};

const byLoop = (): Promise<GpuFactsCost> =>
  new Promise((resolve, reject) => {
    const source = nvidiaSmi();
    let heard = 0;
    let cpu = 0;
    const follower = source.follow?.({
      intervalMs: 5,
      deadlineMs: withinMs,
      hear: (look) => {
        if (isCause(look)) return reject(new Error(look.message));
        heard += 1;
        if (heard === warmUp) cpu = cpuOfAll();
        if (heard !== warmUp + count) return;
        const cpuMs = (cpuOfAll() - cpu) / count;
        follower?.stop();
        source.close();
        resolve({ cpuMs, wallMs: null });
      },
    });
  });

process.stdout.write(`${JSON.stringify(await (way === 'call' ? byCalls() : way === 'loop' ? byLoop() : byNvml()))}\n`);
