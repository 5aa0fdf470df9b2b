import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nvidiaSmi } from '../../src/gpu/nvidia-smi.ts';
import { type Freezer, mayFreeze, openFreezer } from '../kit/freezer.ts';

describe.skipIf(!mayFreeze)('a child in D state (needs root and the freezer of cgroup v1)', () => {
  const stateOf = async (pid: number): Promise<string> =>
    /State:\s+(\S)/.exec(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''))?.[1] ?? 'gone';
  let dir: string;
  let freezer: Freezer;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'd-state-'));
    freezer = openFreezer('d-state');
  });
  afterEach(async () => {
    await freezer.end();
    await rm(dir, { recursive: true, force: true });
  });

  it('that SIGKILL does not end neither holds a read nor gets a second child beside it', async () => {
    const { group } = freezer;
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
