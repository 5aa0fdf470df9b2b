/**
 * A fake `nvidia-smi` on a private PATH, told by a scenario file what cards there are and how to misbehave. It is a real
 * executable in a real child process; only the driver behind it is missing.
 */
import { chmod, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface FakeCard {
  readonly uuid?: string;
  readonly name?: string;
  readonly totalMiB?: number;
  readonly usedMiB?: number;
  /** What the driver keeps for itself and counts neither as used nor as free. */
  readonly reservedMiB?: number;
  /** Listed by `--query-compute-apps`. */
  readonly processes?: readonly { readonly pid: number; readonly usedMiB: number | string }[];
  /** Listed by `-q -x` only. */
  readonly graphics?: readonly { readonly pid: number; readonly usedMiB: number }[];
  /** CSV cells that replace the made-up ones: `{'power.draw': '[N/A]'}`. */
  readonly cells?: Readonly<Record<string, string>>;
  readonly mig?: readonly { readonly uuid: string; readonly profile: string; readonly gi: number; readonly ci: number; readonly totalMiB: number }[];
}

export interface Scenario {
  readonly cards: readonly FakeCard[];
  /** Fields that this driver does not know. */
  readonly unknownFields?: readonly string[];
  /** `ignore_term`: never ends, SIGTERM is ignored. `stop`: SIGSTOPs itself. `pipe`: ends, leaving its pipe to a child. */
  readonly hang?: 'ignore_term' | 'stop' | 'pipe';
  readonly exitCode?: number;
  /** Printed before anything else. */
  readonly message?: string;
  /** Nothing but the message. */
  readonly silent?: boolean;
  readonly outputBytes?: number;
}

export interface FakeNvidiaSmi {
  readonly dir: string;
  /** PATH that holds the fake and nothing else that is called nvidia-smi. */
  readonly env: Readonly<Record<string, string>>;
  play(scenario: Scenario): Promise<void>;
  /** One line for each run: pid, then its arguments. */
  runs(): Promise<readonly { readonly pid: number; readonly argv: string }[]>;
  remove(): Promise<void>;
}

export const fakeNvidiaSmi = async (scenario: Scenario): Promise<FakeNvidiaSmi> => {
  const dir = await mkdtemp(join(tmpdir(), 'fake-nvidia-smi-'));
  await writeFile(join(dir, 'nvidia-smi'), shell(process.execPath));
  await writeFile(join(dir, 'answer.cjs'), program);
  await chmod(join(dir, 'nvidia-smi'), 0o755);
  await writeFile(join(dir, 'runs'), '');
  const play = async (next: Scenario): Promise<void> => {
    await writeFile(join(dir, 'hang'), next.hang ?? 'no');
    await writeFile(join(dir, 'scenario.tmp'), JSON.stringify(next));
    await rename(join(dir, 'scenario.tmp'), join(dir, 'scenario.json'));
  };
  await play(scenario);
  return {
    dir,
    env: { PATH: [dir, dirname(process.execPath), '/usr/bin', '/bin'].join(':') },
    play,
    runs: async () => {
      const lines = (await readFile(join(dir, 'runs'), 'utf8')).split('\n').filter((line) => line !== '');
      return lines.map((line) => ({ pid: Number(line.split(' ')[0]), argv: line.split(' ').slice(1).join(' ') }));
    },
    remove: () => rm(dir, { recursive: true, force: true }),
  };
};

export const uuidOf = (index: number): string => `GPU-0000000${index}-aaaa-bbbb-cccc-00000000000${index}`;

/** Hangs before anything slow is started, so that a deadline never meets a child that is only half up. */
const shell = (node: string): string => `#!/bin/sh
dir=$(dirname "$0")
echo "$$ $*" >> "$dir/runs"
case "$(cat "$dir/hang")" in
  ignore_term) trap '' TERM; exec sleep 1000 ;;
  stop) kill -STOP $$; exec sleep 1000 ;;
  pipe) sleep 3 & ;;
esac
exec ${node} "$dir/answer.cjs" "$@"
`;

const program = `
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const argv = process.argv.slice(2);
const s = JSON.parse(readFileSync(join(__dirname, 'scenario.json'), 'utf8'));
const cards = s.cards.map((c, i) => ({ index: i, uuid: 'GPU-0000000' + i + '-aaaa-bbbb-cccc-00000000000' + i, name: 'NVIDIA Fake', totalMiB: 24576, usedMiB: 0, reservedMiB: 300, processes: [], graphics: [], cells: {}, mig: null, ...c }));
const say = (line) => process.stdout.write(line + '\\n');
const free = (c) => c.totalMiB - c.usedMiB - c.reservedMiB;
const cell = (c, f) => c.cells[f] ?? { index: c.index, uuid: c.uuid, 'pci.bus_id': '00000000:0' + c.index + ':00.0', name: c.name, 'memory.total': c.totalMiB, 'memory.used': c.usedMiB, 'memory.free': free(c), compute_cap: '8.9', driver_version: '590.48.01', 'temperature.gpu': 41, 'power.draw': '78.28', 'utilization.gpu': 7, gpu_recovery_action: 'None', 'mig.mode.current': c.mig ? 'Enabled' : '[N/A]' }[f];
const query = (name) => (argv.find((a) => a.startsWith(name + '=')) ?? '').slice(name.length + 1);
const memory = (t, u, f) => '<fb_memory_usage><total>' + t + ' MiB</total><used>' + u + ' MiB</used><free>' + f + ' MiB</free></fb_memory_usage>';
const answer = () => {
  const fields = query('--query-gpu').split(',');
  const bad = fields.find((f) => (s.unknownFields ?? []).includes(f));
  if (query('--query-gpu') !== '') {
    if (bad) { say('Field "' + bad + '" is not a valid field to query.\\n'); process.exitCode = 2; return; }
    for (const c of cards) say(fields.map((f) => cell(c, f)).join(', '));
  } else if (query('--query-compute-apps') !== '') {
    for (const c of cards) for (const p of c.processes) say([c.uuid, p.pid, p.usedMiB].join(', '));
  } else if (argv.includes('-x')) {
    say('<?xml version="1.0" ?><!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd"><nvidia_smi_log><driver_version>590.48.01</driver_version><cuda_version>13.1</cuda_version>');
    for (const c of cards) {
      const slices = (c.mig ?? []).map((m, i) => '<mig_device><index>' + i + '</index><gpu_instance_id>' + m.gi + '</gpu_instance_id><compute_instance_id>' + m.ci + '</compute_instance_id>' + memory(m.totalMiB, 0, m.totalMiB) + '</mig_device>');
      const listed = [...c.processes, ...c.graphics].map((p) => '<process_info><pid>' + p.pid + '</pid><used_memory>' + p.usedMiB + ' MiB</used_memory></process_info>');
      say('<gpu id="x"><mig_mode><current_mig>' + (c.mig ? 'Enabled' : 'N/A') + '</current_mig></mig_mode><mig_devices>' + slices.join('') + '</mig_devices><uuid>' + c.uuid + '</uuid>' + memory(c.totalMiB, c.usedMiB, free(c)) + '<processes>' + listed.join('') + '</processes></gpu>');
    }
    say('</nvidia_smi_log>');
  } else if (argv.includes('-L')) {
    for (const c of cards) {
      say('GPU ' + c.index + ': ' + c.name + ' (UUID: ' + c.uuid + ')');
      (c.mig ?? []).forEach((m, i) => say('  MIG ' + m.profile + '     Device  ' + i + ': (UUID: ' + m.uuid + ')'));
    }
  } else say('| NVIDIA-SMI 590.48.01              Driver Version: 590.48.01      CUDA Version: 13.1     |');
};
if (s.message) say(s.message);
if (s.outputBytes) process.stdout.write('x'.repeat(s.outputBytes));
if (!s.silent) answer();
process.exitCode = s.exitCode ?? process.exitCode;
`;
