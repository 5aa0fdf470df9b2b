/** What of the machine the figures depend on. No names and no paths. */
import { cpus, loadavg, release, totalmem } from 'node:os';

export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly memory_gib: number;
  readonly kernel: string;
  readonly node: string;
  /** Of the minute before the first row. */
  readonly load: number;
}

export const lookAtMachine = (): Machine => ({
  cores: cpus().length,
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  memory_gib: Math.round(totalmem() / 1024 ** 3),
  kernel: /^\d+\.\d+/.exec(release())?.[0] ?? release(),
  node: process.version,
  load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
});

/** More was running than a fifth of the cores. */
export const isShared = ({ load, cores }: Machine): boolean => load > cores / 5;
