/** What a start asks of the cards: a device node without which CUDA does not begin, and the memory that the last start was measured to need. */
import { readFileSync } from 'node:fs';
import { rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { daemonHouse, patient } from '../kit/daemon.ts';
import { mib } from '../kit/gpu-facts.ts';
import { firstCpu, scriptedDriver } from '../kit/scripted-driver.ts';
import { until } from '../kit/until.ts';

const placed = { env: { STUB_SAYS_PLACED: '1' } };

describe('a machine without /dev/nvidia-uvm', patient, () => {
  it('starts no engine: the pool waits, says what to do, and comes up once it is there (row 42)', async (t) => {
    const driver = await scriptedDriver(t, { cards: [{}] });
    await rm(join(driver.devices, 'nvidia-uvm'));
    const house = await daemonHouse(t, driver.env);
    await house.declare([house.stub('pool-0', placed)]);
    const daemon = await house.start();
    const waiting = await daemon.sees('pool-0', 'blocked', ({ substate }) => substate === 'blocked');
    expect(waiting).toMatchObject({
      live: false,
      reason: { code: 'nvidia_uvm_missing', retryable: true, message: expect.stringContaining('nvidia-modprobe -c 0 -u') },
    });
    expect(house.runs('pool-0')).toEqual([]);
    await writeFile(join(driver.devices, 'nvidia-uvm'), '');
    await daemon.ask('POST', '/v2/pools/pool-0/preload');
    await daemon.ready('pool-0');
  });
});

describe('an engine that is to be near its card', patient, () => {
  it('runs on the CPUs that the kernel names for it, and its neighbour on all', async (t) => {
    const driver = await scriptedDriver(t, { cards: [{}] });
    const house = await daemonHouse(t, driver.env);
    await house.declare([house.stub('pool-0', { ...placed, cpu_affinity: 'gpu' }), house.stub('pool-1', placed)]);
    const daemon = await house.start();
    await daemon.ready('pool-0', 'pool-1');
    const cpusOf = (id: string): string | undefined =>
      /^Cpus_allowed_list:\s*(.+)$/m.exec(readFileSync(`/proc/${house.run(id)?.pid}/status`, 'utf8'))?.[1];
    expect(cpusOf('pool-0')).toBe(String(firstCpu));
    expect(cpusOf('pool-1')).toBe(/^Cpus_allowed_list:\s*(.+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
    expect(await daemon.gpus()).toMatchObject([{ cpu_affinity: String(firstCpu), numa_node: 0 }]);
  });
});

describe('what an engine was measured to need', patient, () => {
  it('is what its next start reserves, also under the next daemon', async (t) => {
    const driver = await scriptedDriver(t, { cards: [{}] });
    const house = await daemonHouse(t, driver.env);
    await truncate(house.model, 256 * mib);
    const pool = house.stub('pool-0', { env: { ...placed.env, STUB_LOAD_MS: '2000' } });
    await house.declare([pool]);
    const daemon = await house.start();
    const reserved = async (): Promise<number> => (await daemon.gpus())[0]?.memory_reserved_bytes ?? 0;

    const { pid } = await until('an engine', () => house.run('pool-0'));
    const estimated = await reserved();
    expect(estimated).toBeGreaterThan(256 * mib);
    await driver.smi.play({ cards: [{ usedMiB: 6_000, processes: [{ pid, usedMiB: 6_000 }] }] });
    await daemon.ready('pool-0');
    expect(await reserved()).toBe(estimated);

    const needed = Math.ceil(6_000 * mib * 1.05) + 256 * mib;
    expect(needed).toBeGreaterThan(estimated);
    await daemon.ask('POST', '/v2/pools/pool-0/drain');
    await daemon.sees('pool-0', 'draining or gone', ({ live }) => !live);
    await driver.smi.play({ cards: [{}] });
    await daemon.sees('pool-0', 'stopped', ({ substate }) => substate === 'stopped');
    await daemon.ask('POST', '/v2/pools/pool-0/preload');
    await until('another engine', () => house.run('pool-0'));
    expect(await reserved()).toBe(needed);

    await daemon.ask('POST', '/v2/pools/pool-0/drain');
    await daemon.sees('pool-0', 'stopped', ({ substate }) => substate === 'stopped');
    await daemon.end();
    const next = await house.start();
    await next.ask('POST', '/v2/pools/pool-0/preload');
    await until('an engine of the next daemon', () => house.run('pool-0'));
    expect((await next.gpus())[0]?.memory_reserved_bytes).toBe(needed);
  });
});
