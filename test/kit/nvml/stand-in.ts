/**
 * A stand-in for NVIDIA's management library, compiled from C, that plays the scenarios of the scriptable nvidia-smi: the loader finds
 * it in a folder that the environment names, as it finds the real one elsewhere.
 */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestContext } from 'vitest';
import { type NvmlEvent, type NvmlScenario, scriptOf } from './script.ts';

export interface StandInNvml {
  readonly env: Readonly<Record<string, string>>;
  play(scenario: NvmlScenario): Promise<void>;
  /** The driver tells this, once. */
  tell(...events: readonly NvmlEvent[]): Promise<void>;
  /** Calls that the real library would not have taken. */
  misuses(): Promise<readonly string[]>;
}

/** Null: this machine has no C compiler. */
export const compiler: string | null =
  ['/usr/bin/cc', '/usr/bin/gcc', '/usr/bin/clang'].find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  }) ?? null;

const run = promisify(execFile);

/** `old`: without the functions that drivers before 510 lack. */
export const standInNvml = async (
  { onTestFinished }: Pick<TestContext, 'onTestFinished'>,
  scenario: NvmlScenario,
  age: 'current' | 'old' = 'current',
): Promise<StandInNvml> => {
  const dir = await mkdtemp(join(tmpdir(), 'stand-in-nvml-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const [libraries, script] = [join(dir, 'lib'), join(dir, 'script')];
  await mkdir(libraries);
  const source = join(import.meta.dirname, 'libnvidia-ml.c');
  await run(compiler ?? 'cc', ['-shared', '-fPIC', '-O1', ...(age === 'old' ? ['-DOLD'] : []), '-o', join(libraries, 'libnvidia-ml.so.1'), source]);

  let playing = scenario;
  const told: NvmlEvent[] = [];
  const write = async (): Promise<void> => {
    await writeFile(`${script}.new`, scriptOf(playing, told));
    await rename(`${script}.new`, script);
  };
  await write();
  return {
    env: { LD_LIBRARY_PATH: libraries, STAND_IN_NVML: script },
    play: async (next) => {
      playing = next;
      await write();
    },
    tell: async (...events) => {
      told.push(...events);
      await write();
    },
    misuses: async () => (await readFile(`${script}.misuse`, 'utf8').catch(() => '')).split('\n').filter((line) => line !== ''),
  };
};
