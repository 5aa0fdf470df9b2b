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
import type { FakeCard, Scenario } from '../nvidia-smi.ts';

export interface NvmlScenario extends Scenario {
  /** What calls answer in place of what they would; of one card, where it is named. */
  readonly fail?: readonly { readonly call: string; readonly code: number; readonly card?: number }[];
  /** Calls that never return, or end the process. */
  readonly hangIn?: readonly string[];
  readonly crashIn?: readonly string[];
  /** Numbers of a card besides: `{0: {ecc: 1}}`. */
  readonly numbers?: Readonly<Record<number, Readonly<Record<string, number>>>>;
}

export interface NvmlEvent {
  readonly card: number;
  readonly data: number;
  /** 8: an Xid. */
  readonly type?: number;
  readonly gpuInstanceId?: number;
}

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

const mib = 1024 * 1024;
const none = 0xffff_ffff;

const scriptOf = (scenario: NvmlScenario, events: readonly NvmlEvent[]): string =>
  [
    'driver -1 590.48.01',
    'cuda -1 13010',
    ...scenario.cards.flatMap((card, index) => linesOf(card, index, scenario.numbers?.[index] ?? {})),
    ...(scenario.fail ?? []).map(({ call, code, card = -1 }) => `fail ${card} ${call} ${code}`),
    ...(scenario.hangIn ?? []).map((call) => `hang -1 ${call}`),
    ...(scenario.crashIn ?? []).map((call) => `crash -1 ${call}`),
    ...events.map(({ card, data, type = 8, gpuInstanceId = none }, at) => `event ${card} ${at + 1} ${type} ${data} ${gpuInstanceId}`),
    '',
  ].join('\n');

const recoveries = ['None', 'Reset', 'Reboot', 'Drain P2P', 'Drain and Reset'];

/** The same made-up cards as those of the nvidia-smi. */
const linesOf = (card: FakeCard, index: number, numbers: Readonly<Record<string, number>>): readonly string[] => {
  const { totalMiB = 24576, usedMiB = 0, reservedMiB = 300, processes = [], graphics = [], mig, cells = {} } = card;
  const running = [...processes.map((one) => ['c', one] as const), ...graphics.map((one) => ['g', one] as const)];
  const values: Readonly<Record<string, number>> = {
    total: totalMiB * mib,
    used: usedMiB * mib,
    reserved: reservedMiB * mib,
    capability: 89,
    temperature: 41,
    power: 78_280,
    utilisation: 7,
    mig: mig === undefined ? 0 : 1,
    recovery: Math.max(0, recoveries.indexOf(cells['gpu_recovery_action'] ?? 'None')),
    ...numbers,
  };
  return [
    `uuid ${index} ${card.uuid ?? `GPU-0000000${index}-aaaa-bbbb-cccc-00000000000${index}`}`,
    `name ${index} ${card.name ?? 'NVIDIA Fake'}`,
    `pci ${index} ${cells['pci.bus_id'] ?? `00000000:0${index}:00.0`}`,
    ...Object.entries(values).map(([key, value]) => `${key} ${index} ${value}`),
    ...running.map(
      ([kind, { pid, usedMiB: used }]) => `process ${index} ${kind} ${pid} ${typeof used === 'number' ? used * mib : '18446744073709551615'} ${none}`,
    ),
    ...(mig ?? []).map(
      ({ uuid, profile, gi, ci, totalMiB: total }) => `slice ${index} ${uuid} ${gi} ${ci} ${total * mib} 0 NVIDIA Fake MIG ${profile}`,
    ),
  ];
};
