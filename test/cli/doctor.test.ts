/** `doctor` on machines made here: what it finds, what it says is to be done, and that it ends with 1 when something fails. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { examine, machine, named } from '../kit/examined-machine.ts';
import { runCommand } from '../kit/run-command.ts';

const deep = (persistence: string, pending = 'No', uncorrected = 0): string =>
  `<persistence_mode>${persistence}</persistence_mode><remapped_rows><remapped_row_pending>${pending}</remapped_row_pending></remapped_rows><ecc_errors><volatile><dram_uncorrectable>${uncorrected}</dram_uncorrectable></volatile></ecc_errors>`;

describe('a sound machine', () => {
  it('passes, and is told in lines for people', async (t) => {
    const sound = await machine(t, { cards: [{ xml: deep('Enabled') }] });
    const { checks, failure } = await examine(sound);
    expect(checks.filter(({ verdict }) => verdict === 'fail' || verdict === 'warn')).toEqual([]);
    expect(failure).toBeNull();
    expect(named(checks, 'driver')).toMatchObject({ verdict: 'ok', found: '590.48.01, CUDA 13.1' });
    expect(named(checks, 'kernel module')).toMatchObject({ verdict: 'ok', found: '590.48.01' });
    expect(named(checks, 'persistence')).toMatchObject({ verdict: 'ok' });
    expect(named(checks, 'kernel log')).toMatchObject({ verdict: 'ok' });
  });

  it('with simulated cards is told that nothing of them is checked', async () => {
    const { exitCode, stdout } = await runCommand(['doctor'], {
      env: { POOL_MANAGERD_GPU_SOURCE: 'simulated:2x24GiB', PROMETHEUS_METRICS_PORT: '0' },
    });
    expect(stdout).toMatch(/^CHECK .*VERDICT .*FOUND/);
    expect(stdout).toMatch(/^GPUs +ok +2 simulated/m);
    expect(exitCode).toBe(0);
  });
});

describe('a machine with troubles', () => {
  it('is told of cards: what is to be done with each, and which the driver does not list', async (t) => {
    const sick = await machine(t, {
      cards: [{ xml: deep('Disabled', 'Yes') }, { xml: deep('Enabled', 'No', 3) }, { cells: { gpu_recovery_action: 'Reset' } }],
    });
    await mkdir(join(sick.env['POOL_MANAGERD_PCI_DEVICES'] ?? '', '0000:0f:00.0'));
    await writeFile(join(sick.env['POOL_MANAGERD_PCI_DEVICES'] ?? '', '0000:0f:00.0/vendor'), '0x10de\n');
    await writeFile(join(sick.env['POOL_MANAGERD_PCI_DEVICES'] ?? '', '0000:0f:00.0/class'), '0x030200\n');
    const { checks, failure } = await examine(sick);
    expect(named(checks, 'GPU 0')).toMatchObject({ verdict: 'warn', todo: expect.stringContaining('--gpu-reset -i 0') });
    expect(named(checks, 'GPU 1')).toMatchObject({ verdict: 'warn', found: expect.stringContaining('3 memory errors') });
    expect(named(checks, 'GPU 2')).toMatchObject({ verdict: 'fail', found: 'gpu_reset_required' });
    expect(named(checks, 'GPU at 0000:0f:00.0')).toMatchObject({ verdict: 'warn' });
    expect(named(checks, 'persistence')).toMatchObject({ verdict: 'warn', todo: expect.stringContaining('nvidia-persistenced') });
    expect(named(checks, join(sick.dev, 'nvidia2'))).toMatchObject({ verdict: 'fail', found: 'is not there' });
    expect(failure).toMatch(/^2 of \d+ checks failed$/);
  });

  it('is told of a driver that cannot be asked, of other versions, and of uvm that is missing (row 42)', async (t) => {
    const old = await machine(t, { cards: [{}] });
    await writeFile(join(old.proc, 'driver/nvidia/version'), 'NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.124.06  Wed\n');
    await rm(join(old.dev, 'nvidia-uvm'));
    const { checks } = await examine(old);
    expect(named(checks, 'kernel module')).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('570.124.06 is loaded'),
      todo: expect.stringContaining('reboot'),
    });
    expect(named(checks, join(old.dev, 'nvidia-uvm'))).toMatchObject({ verdict: 'fail', todo: expect.stringContaining('nvidia-modprobe') });
    const broken = await machine(t, { cards: [], silent: true, exitCode: 18, message: 'Failed to initialize NVML: Driver/library version mismatch' });
    expect(named((await examine(broken)).checks, 'driver')).toMatchObject({ verdict: 'fail', todo: expect.stringContaining('different versions') });
  });

  it('is told of ports in use, low limits, and directories that cannot be made', async (t) => {
    const busy = await machine(t, { cards: [{}] });
    const server = createServer();
    const port = await new Promise<number>((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)));
    t.onTestFinished(() => void server.close());
    await writeFile(join(busy.proc, 'self/limits'), 'Max open files            1024                 4096                 files\n');
    const { checks } = await examine({
      ...busy,
      env: {
        ...busy.env,
        POOL_MANAGERD_BIND_ADDR: `127.0.0.1:${port}`,
        POOL_MANAGERD_PORT_RANGE: `${port}-${port}`,
        POOL_MANAGERD_LAUNCHER: 'systemd',
        POOL_MANAGERD_STATE_DIR: join(busy.dev, 'nvidiactl/state'),
      },
    });
    expect(named(checks, 'API port')).toMatchObject({ verdict: 'warn', found: expect.stringContaining('in use') });
    expect(named(checks, 'engine ports')).toMatchObject({ verdict: 'fail' });
    expect(named(checks, 'open files')).toMatchObject({ verdict: 'warn', found: 'at most 1024' });
    expect(named(checks, 'state directory')).toMatchObject({ verdict: 'fail' });
    expect(named(checks, 'launcher')).toMatchObject({ verdict: 'fail', found: expect.stringContaining('/run/pool-managerd/specs') });
  });

  it('is told of mistakes in its environment', async () => {
    const { exitCode, stdout, stderr } = await runCommand(['doctor', '--json'], { env: { POOL_MANAGERD_GPU_SOURCE: 'simulated:none' } });
    expect(JSON.parse(stdout).checks[0]).toMatchObject({
      name: 'environment',
      verdict: 'fail',
      found: expect.stringContaining('POOL_MANAGERD_GPU_SOURCE'),
    });
    expect(stderr).toContain('checks failed');
    expect(exitCode).toBe(1);
  });
});
