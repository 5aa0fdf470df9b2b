/** An engine that is to be near its card, as a unit: a scripted nvidia-smi and a PCI bus in a booted machine say which CPUs those are. */
import { availableParallelism } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { executableUnderTest } from '../../kit/executable-under-test.ts';
import { bootMachine, type Machine, whyNoMachine } from '../../kit/nspawn/machine.ts';
import { stillNvidiaSmi } from '../../kit/nvidia-smi.ts';
import { until } from '../../kit/until.ts';

const whyNot = availableParallelism() < 2 ? 'with one CPU, near and anywhere are the same' : whyNoMachine();
if (whyNot !== null) console.log(`not run: engines near their cards: ${whyNot}`);

const bus = '/srv/pci';
const devices = '/srv/dev';
const pool = (id: string, more: object = {}): object => ({
  id,
  engine: 'custom',
  devices: [0],
  slots: 1,
  flags: ['600'],
  custom: { health_path: '/health' },
  provisioning: { mode: 'external', executable: 'sleep' },
  ...more,
});

describe.skipIf(whyNot !== null)('an engine that is to be near its card, as a unit', () => {
  let machine: Machine;
  beforeAll(async () => {
    machine = await bootMachine(await executableUnderTest());
  });
  afterAll(async () => {
    await machine?.destroy();
  });

  /** Of the main process of its unit, once that has become the engine. */
  const cpusOf = async (id: string): Promise<string> => {
    const pid = await until(`the engine of ${id}`, async () => {
      const main = (await machine.ok(['systemctl', 'show', '--value', '--property=MainPID', `llama-engine@${id}`])).trim();
      return (await machine.run(['cat', `/proc/${main}/comm`])).stdout.trim() === 'sleep' ? main : null;
    });
    return allowed(await machine.ok(['cat', `/proc/${pid}/status`]));
  };
  const allowed = (status: string): string => /^Cpus_allowed_list:\s*(.+)$/m.exec(status)?.[1] ?? '';

  it('runs on the CPUs that the kernel names for it, and its neighbour on all', async () => {
    const all = allowed(await machine.ok(['cat', '/proc/1/status']));
    const last = /\d+$/.exec(all)?.[0] ?? '';
    await machine.write('/usr/local/bin/nvidia-smi', stillNvidiaSmi({ cards: [{}] }), '755');
    const facts = { vendor: '0x10de', class: '0x030200', local_cpulist: last, numa_node: '0' };
    for (const [name, text] of Object.entries(facts)) await machine.write(`${bus}/0000:00:00.0/${name}`, `${text}\n`);
    await machine.write(`${devices}/nvidia-uvm`, '');
    await machine.write(
      '/etc/pool-managerd/environment',
      `POOL_MANAGERD_GPU_SOURCE=nvidia-smi\nPOOL_MANAGERD_PCI_DEVICES=${bus}\nPOOL_MANAGERD_DEVICES=${devices}\n`,
    );
    await machine.write(
      '/etc/pool-managerd/pools.yaml',
      JSON.stringify({ version: 1, pools: [pool('near', { cpu_affinity: 'gpu' }), pool('anywhere')] }),
    );
    const { code } = await machine.run(['systemctl', 'start', 'pool-managerd.socket', 'pool-managerd.service']);
    expect(code, (await machine.run(['journalctl', '--no-pager', '-o', 'cat', '-u', 'pool-managerd'])).stdout).toBe(0);
    expect(await cpusOf('near')).toBe(last);
    expect(await cpusOf('anywhere')).toBe(all);
    expect(all).not.toBe(last);
  });
});
