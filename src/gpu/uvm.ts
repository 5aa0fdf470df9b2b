/**
 * Whether CUDA can start as far as the device node of unified memory goes, which no driver makes by itself. Where it is missing it is
 * made as CUDA would have it made, by `nvidia-modprobe`; what that cannot make here is a Cause, before an engine is started.
 */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cause } from '../machines/vocabulary.ts';
import { type ChildResult, type ChildRunnerOptions, childRunner } from './run-child.ts';

export interface UvmOptions {
  /** `/dev` */
  readonly devices: string;
  /** Engines are units, whose start makes the node as root, by the same tool. */
  readonly madeByUnits: boolean;
  readonly tool?: Partial<ChildRunnerOptions>;
}

export type UvmCheck = () => Promise<Cause | null>;

const deadlineMs = 5_000;

export const uvmCheck = ({ devices, madeByUnits, tool = {} }: UvmOptions): UvmCheck => {
  const node = join(devices, 'nvidia-uvm');
  const runner = childRunner({ executable: 'nvidia-modprobe', env: process.env, ...tool });
  const make = async (): Promise<Cause | null> => {
    const made = await runner.run(['-c', '0', '-u'], deadlineMs);
    if (await exists(node)) return null;
    return madeByUnits && made.end !== 'not_run' ? null : missing(node, made);
  };
  let making: Promise<Cause | null> | null = null;
  return async () => {
    if (await exists(node)) return null;
    making ??= make().finally(() => {
      making = null;
    });
    return making;
  };
};

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

const missing = (node: string, made: ChildResult): Cause => ({
  code: 'nvidia_uvm_missing',
  message: `${node} was expected, without which CUDA does not start, but is not there, and nvidia-modprobe ${whyNot(made)}: as root run nvidia-modprobe -c 0 -u, at each boot, or have nvidia-persistenced do it; the pool then starts by itself`,
});

const whyNot = (made: ChildResult): string => {
  switch (made.end) {
    case 'exited':
      return made.exitCode === 0 ? 'did not make it' : `could not make it (exit status ${made.exitCode ?? 'unknown'})`;
    case 'not_run':
      return 'is not there either to make it';
    default:
      return 'did not answer';
  }
};
