/** The freezer of control groups, version 1: the one way without a broken driver to a process in D state, which no signal ends. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './until.ts';

const root = '/sys/fs/cgroup/freezer';

export const mayFreeze = process.getuid?.() === 0 && existsSync(join(root, 'cgroup.procs'));

export interface Freezer {
  /** Its control group, for a process that puts itself there. */
  readonly group: string;
  freeze(...pids: readonly number[]): void;
  thaw(): void;
  /** Thaws, waits until nothing is left in it, and removes it. */
  end(): Promise<void>;
}

export const openFreezer = (name: string): Freezer => {
  const group = join(root, `pool-managerd-${name}-${process.pid}`);
  const state = (to: 'FROZEN' | 'THAWED'): void => writeFileSync(join(group, 'freezer.state'), to);
  mkdirSync(group);
  return {
    group,
    freeze: (...pids) => {
      for (const pid of pids) writeFileSync(join(group, 'cgroup.procs'), String(pid));
      state('FROZEN');
    },
    thaw: () => state('THAWED'),
    end: async () => {
      state('THAWED');
      await until('the group to be empty', () => readFileSync(join(group, 'cgroup.procs'), 'utf8') === '', 20_000);
      rmdirSync(group);
    },
  };
};
