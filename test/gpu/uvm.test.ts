/** The device node without which CUDA does not start: made where it can be, else the reason why no engine is started. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { uvmCheck } from '../../src/gpu/uvm.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'uvm-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const tool = async (script: string): Promise<void> => {
  await writeFile(join(dir, 'nvidia-modprobe'), `#!/bin/sh\n${script}\n`);
  await chmod(join(dir, 'nvidia-modprobe'), 0o755);
};
const check = (madeByUnits = false) => uvmCheck({ devices: dir, madeByUnits, tool: { env: { PATH: dir } } })();

describe('the device node of unified memory', () => {
  it('is fine where it is', async () => {
    await writeFile(join(dir, 'nvidia-uvm'), '');
    await tool(`echo asked > ${dir}/asked`);
    expect(await check()).toBeNull();
  });

  it('is made where it is missing, by the tool that CUDA has for it', async () => {
    await tool(`[ "$*" = "-c 0 -u" ] && : > ${dir}/nvidia-uvm`);
    expect(await check()).toBeNull();
  });

  it.each([
    ['is not there either to make it', null],
    ['could not make it (exit status 1)', 'exit 1'],
    ['did not make it', 'exit 0'],
  ])('keeps engines from starting where nvidia-modprobe %s, with what to do (row 42)', async (why, script) => {
    if (script !== null) await tool(script);
    const cause = await check();
    expect(cause).toMatchObject({ code: 'nvidia_uvm_missing', message: expect.stringContaining(why) });
    expect(cause?.message).toContain('as root run nvidia-modprobe -c 0 -u');
  });

  it('is left to the units of engines, which have it made as root, where they can', async () => {
    expect(await check(true)).toMatchObject({ code: 'nvidia_uvm_missing' });
    await tool('exit 1');
    expect(await check(true)).toBeNull();
  });
});
