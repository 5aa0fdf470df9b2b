/** A scenario of the scriptable nvidia-smi, as the script that the stand-in for NVIDIA's library plays. */
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

const mib = 1024 * 1024;
const none = 0xffff_ffff;

export const scriptOf = (scenario: NvmlScenario, events: readonly NvmlEvent[]): string =>
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
