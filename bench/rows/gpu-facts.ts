/** Facts of eight GPUs: from one nvidia-smi that goes on, and through NVML, against a call of nvidia-smi. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { scriptOf } from '../../test/kit/nvml/script.ts';
import { type House, inHouse } from '../kit/house.ts';
import { median } from '../kit/numbers.ts';
import { firstLine, start } from '../kit/processes.ts';
import { times } from '../kit/rounds.ts';
import type { Finding, Row } from '../kit/row.ts';
import type { GpuFactsCost } from '../programs/gpu-facts.ts';

const sources = resolve(import.meta.dirname, '../../test/kit/nvml');
const program = resolve(import.meta.dirname, '../programs/gpu-facts.ts');
const cards = Array.from({ length: 8 }, () => ({ usedMiB: 20_000, processes: [{ pid: 77, usedMiB: 20_000 }] }));

export const gpuFacts: Row = {
  id: 'gpu-facts',
  title: 'GPU facts, 8 GPUs',
  method:
    'CPU of all processes, the daemon’s code included, for one set of facts about 8 cards: in one `nvidia-smi --loop-ms`, and through NVML; against one call ' +
    'of `nvidia-smi --query-gpu`. Tool and library are stand-ins in C that play one script.',
  limits:
    'Profiled: of a set through NVML a quarter is the 70 calls by `node:ffi` (0.18 ms), a twentieth JSON and its validation; the rest is the way there and ' +
    'back through two pipes, on which two processes are woken. What it is measured against is a process that starts, prints and ends: a real ' +
    '`nvidia-smi` opens the driver and every card before its first word, which NVML spares and which, without a card here, is not in the ratio.',
  quick: false,
  measure: async (scale) => {
    const [rounds, count] = scale === 'full' ? [7, 1_000] : [2, 200];
    const costs = await inHouse(async (house) => {
      const env = build(house);
      return times(
        rounds,
        async () => ({
          call: await costOf(house, env, 'call', Math.ceil(count / 5)),
          loop: await costOf(house, env, 'loop', count),
          nvml: await costOf(house, env, 'nvml', count),
        }),
        { warmUp: 0 },
      );
    });
    const cpu = (way: 'call' | 'loop' | 'nvml'): number => median(costs.map((cost) => cost[way].cpuMs));
    const wall = (way: 'call' | 'nvml'): number => median(costs.map((cost) => cost[way].wallMs ?? 0));
    const of = (key: string, what: string, figure: number, against: number, limit: number | null): Finding => ({
      key: `gpu-facts.${key}`,
      what,
      figure,
      unit: 'ms',
      better: 'less',
      against: { what: 'one nvidia-smi', figure: against },
      aim: limit === null ? null : { of: 'ratio', limit },
    });
    return {
      findings: [
        of('loop.cpu', 'a set in loop mode, CPU', cpu('loop'), cpu('call'), 0.1),
        of('nvml.cpu', 'a set through NVML, CPU', cpu('nvml'), cpu('call'), 0.02),
        of('nvml.wall', 'a set through NVML, time', wall('nvml'), wall('call'), null),
      ],
      remarks: [`Medians of ${rounds} runs of ${count} sets.`],
    };
  },
};

/** Compiles both, on one script; what finds them. */
const build = ({ dir }: House): Readonly<Record<string, string>> => {
  const [libraries, tools, script] = [join(dir, 'lib'), join(dir, 'bin'), join(dir, 'script')];
  for (const folder of [libraries, tools]) mkdirSync(folder);
  execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', join(libraries, 'libnvidia-ml.so.1'), join(sources, 'libnvidia-ml.c')]);
  execFileSync('cc', ['-O2', '-o', join(tools, 'nvidia-smi'), join(sources, 'nvidia-smi.c')]);
  writeFileSync(script, scriptOf({ cards }, []));
  return { PATH: `${tools}:${process.env['PATH'] ?? ''}`, LD_LIBRARY_PATH: libraries, STAND_IN_NVML: script };
};

const costOf = (house: House, env: Readonly<Record<string, string>>, way: string, count: number): Promise<GpuFactsCost> => {
  const child = start(house, process.execPath, ['--disable-warning=ExperimentalWarning', program, way, String(count)], { env });
  return firstLine(child, `the cost by ${way}`, (line) => JSON.parse(line) as GpuFactsCost, 120_000);
};
