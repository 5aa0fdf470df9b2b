/** What the fake nvidia-smi prints for a scenario and its arguments; run as a program, it prints that. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FakeCard, Scenario } from './nvidia-smi.ts';

export interface Printed {
  readonly text: string;
  readonly exitCode: number;
}

interface Card extends Required<Omit<FakeCard, 'mig'>> {
  readonly index: number;
  readonly mig: FakeCard['mig'] | null;
}

export const answerOf = (scenario: Scenario, argv: readonly string[]): Printed => {
  const cards = scenario.cards.map(
    (card, index): Card => ({
      index,
      uuid: `GPU-0000000${index}-aaaa-bbbb-cccc-00000000000${index}`,
      name: 'NVIDIA Fake',
      totalMiB: 24576,
      usedMiB: 0,
      reservedMiB: 300,
      processes: [],
      graphics: [],
      cells: {},
      xml: '',
      mig: null,
      ...card,
    }),
  );
  const said = [...(scenario.message === undefined ? [] : [scenario.message]), ...(scenario.outputBytes ? ['x'.repeat(scenario.outputBytes)] : [])];
  const printed = scenario.silent === true ? { lines: [], exitCode: 0 } : print(scenario, cards, argv);
  return { text: [...said, ...printed.lines].map((line) => `${line}\n`).join(''), exitCode: scenario.exitCode ?? printed.exitCode };
};

const print = (scenario: Scenario, cards: readonly Card[], argv: readonly string[]): { lines: readonly string[]; exitCode: number } => {
  const query = (name: string): string => (argv.find((one) => one.startsWith(`${name}=`)) ?? '').slice(name.length + 1);
  if (query('--query-gpu') !== '') {
    const fields = query('--query-gpu').split(',');
    const bad = fields.find((field) => scenario.unknownFields?.includes(field));
    if (bad !== undefined) return { lines: [`Field "${bad}" is not a valid field to query.\n`], exitCode: 2 };
    return { lines: cards.map((card) => fields.map((field) => cell(card, field)).join(', ')), exitCode: 0 };
  }
  if (query('--query-compute-apps') !== '')
    return { lines: cards.flatMap((card) => card.processes.map(({ pid, usedMiB }) => [card.uuid, pid, usedMiB].join(', '))), exitCode: 0 };
  if (argv.includes('-x')) return { lines: [head, ...cards.map(xmlOf), '</nvidia_smi_log>'], exitCode: 0 };
  if (argv.includes('-L')) return { lines: cards.flatMap(listed), exitCode: 0 };
  return { lines: ['| NVIDIA-SMI 590.48.01              Driver Version: 590.48.01      CUDA Version: 13.1     |'], exitCode: 0 };
};

const free = (card: Card): number => card.totalMiB - card.usedMiB - card.reservedMiB;

const cell = (card: Card, field: string): string | number | undefined =>
  card.cells[field] ??
  {
    index: card.index,
    uuid: card.uuid,
    'pci.bus_id': `00000000:0${card.index}:00.0`,
    name: card.name,
    'memory.total': card.totalMiB,
    'memory.used': card.usedMiB,
    'memory.free': free(card),
    compute_cap: '8.9',
    driver_version: '590.48.01',
    'temperature.gpu': 41,
    'power.draw': '78.28',
    'utilization.gpu': 7,
    gpu_recovery_action: 'None',
    'mig.mode.current': card.mig ? 'Enabled' : '[N/A]',
  }[field];

const head =
  '<?xml version="1.0" ?><!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd"><nvidia_smi_log><driver_version>590.48.01</driver_version><cuda_version>13.1</cuda_version>';

const memory = (total: number, used: number, left: number): string =>
  `<fb_memory_usage><total>${total} MiB</total><used>${used} MiB</used><free>${left} MiB</free></fb_memory_usage>`;

const xmlOf = (card: Card): string => {
  const slices = (card.mig ?? []).map(
    (slice, index) =>
      `<mig_device><index>${index}</index><gpu_instance_id>${slice.gi}</gpu_instance_id><compute_instance_id>${slice.ci}</compute_instance_id>${memory(slice.totalMiB, 0, slice.totalMiB)}</mig_device>`,
  );
  const processes = [...card.processes, ...card.graphics].map(
    ({ pid, usedMiB }) => `<process_info><pid>${pid}</pid><used_memory>${usedMiB} MiB</used_memory></process_info>`,
  );
  return `<gpu id="x"><mig_mode><current_mig>${card.mig ? 'Enabled' : 'N/A'}</current_mig></mig_mode><mig_devices>${slices.join('')}</mig_devices><uuid>${card.uuid}</uuid>${memory(card.totalMiB, card.usedMiB, free(card))}${card.xml}<processes>${processes.join('')}</processes></gpu>`;
};

const listed = (card: Card): readonly string[] => [
  `GPU ${card.index}: ${card.name} (UUID: ${card.uuid})`,
  ...(card.mig ?? []).map(({ profile, uuid }, index) => `  MIG ${profile}     Device  ${index}: (UUID: ${uuid})`),
];

if (import.meta.main) {
  const [dir = '', ...argv] = process.argv.slice(2);
  const { text, exitCode } = answerOf(JSON.parse(readFileSync(join(dir, 'scenario.json'), 'utf8')), argv);
  process.stdout.write(text);
  process.exitCode = exitCode;
}
