import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nvidiaSmi } from '../../src/gpu/nvidia-smi.ts';
import { until } from '../kit/until.ts';

/** The cgroup v1 freezer is the one way without a broken driver to a process in D state, which no signal ends. */
const freezer = '/sys/fs/cgroup/freezer';
const possible = process.getuid?.() === 0 && existsSync(join(freezer, 'cgroup.procs'));

describe.skipIf(!possible)('a child in D state', () => {
  const group = join(freezer, `pool-managerd-test-${process.pid}`);
  const stateOf = async (pid: number): Promise<string> =>
    /State:\s+(\S)/.exec(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''))?.[1] ?? 'gone';
  let dir: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'd-state-'));
    await mkdir(group);
  });
  afterEach(async () => {
    await writeFile(join(group, 'freezer.state'), 'THAWED');
    await until('the group to be empty', async () => (await readFile(join(group, 'cgroup.procs'), 'utf8')) === '');
    await rmdir(group);
    await rm(dir, { recursive: true, force: true });
  });

  it('that SIGKILL does not end neither holds a read nor gets a second child beside it', async () => {
    const script = `#!/bin/sh\necho $$ > ${group}/cgroup.procs\necho $$ >> ${dir}/runs\necho FROZEN > ${group}/freezer.state\nexec sleep 100\n`;
    await writeFile(join(dir, 'nvidia-smi'), script);
    await chmod(join(dir, 'nvidia-smi'), 0o755);
    const source = nvidiaSmi({ env: { PATH: `${dir}:/usr/bin:/bin` } });
    const first = await source.read(600);
    const pid = Number((await readFile(join(dir, 'runs'), 'utf8')).trim());
    expect(first).toMatchObject({ code: 'driver_error', details: { pid } });
    expect(await stateOf(pid)).toBe('D');
    expect(await source.read(5_000)).toMatchObject({ code: 'driver_error', details: { pid } });
    expect((await readFile(join(dir, 'runs'), 'utf8')).trim()).toBe(String(pid));
    source.close();
  });
});
