/**
 * A machine that seems to have NVIDIA cards: a scripted nvidia-smi, devices on a bus of its own, and a kernel's log of its own
 * that the test writes. For a real daemon, by its environment.
 */
import { readFileSync } from 'node:fs';
import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type FakeNvidiaSmi, fakeNvidiaSmi, type Scenario } from './nvidia-smi.ts';

export interface ScriptedDriver {
  readonly env: Readonly<Record<string, string>>;
  readonly smi: FakeNvidiaSmi;
  /** In place of /dev. */
  readonly devices: string;
  /** The kernel says this. */
  say(text: string): Promise<void>;
}

/** One that this process may run on. */
export const firstCpu = Number(/^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0);

/** A test's context, or whoever else undoes what was made. */
export interface Undoing {
  readonly onTestFinished: (undo: () => Promise<void>) => void;
}

export const scriptedDriver = async ({ onTestFinished }: Undoing, scenario: Scenario): Promise<ScriptedDriver> => {
  const smi = await fakeNvidiaSmi(scenario);
  onTestFinished(smi.remove);
  const [kernelLog, bus, devices] = [join(smi.dir, 'kmsg'), join(smi.dir, 'devices'), join(smi.dir, 'dev')];
  await mkdir(devices);
  await writeFile(join(devices, 'nvidia-uvm'), '');
  await writeFile(kernelLog, '6,1,1,-;Linux version of a test\n');
  for (const index of scenario.cards.keys()) {
    const device = join(bus, `0000:0${index}:00.0`);
    await mkdir(device, { recursive: true });
    await writeFile(join(device, 'vendor'), '0x10de\n');
    await writeFile(join(device, 'class'), '0x030200\n');
    await writeFile(join(device, 'local_cpulist'), `${firstCpu}\n`);
    await writeFile(join(device, 'numa_node'), '0\n');
  }
  return {
    smi,
    devices,
    env: {
      ...smi.env,
      POOL_MANAGERD_GPU_SOURCE: 'nvidia-smi',
      POOL_MANAGERD_KERNEL_LOG: kernelLog,
      POOL_MANAGERD_PCI_DEVICES: bus,
      POOL_MANAGERD_DEVICES: devices,
    },
    say: (text) => appendFile(kernelLog, `3,2,98765432,-;${text}\n`),
  };
};
