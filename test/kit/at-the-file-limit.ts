/**
 * A program: everything of the daemon that starts a tool, with none to nine open files to spare, and prints how often each came
 * to its end, well or not. To be run with a small limit of open files. An error that nobody caught ends it.
 */
import { closeSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeExitFifo, removeExitFifo } from '../../src/actors/launch/exit-fifo.ts';
import { systemctl } from '../../src/actors/launch/systemctl.ts';
import { childRunner } from '../../src/gpu/run-child.ts';
import { followKernelLog } from '../../src/os/follow-kernel-log.ts';
import { readKernelLog } from '../../src/os/kernel-log.ts';
import { runTool } from '../../src/provisioning/tool/run-tool.ts';

const runner = childRunner({ executable: 'true', env: process.env });
const fifo = join(tmpdir(), `pool-managerd-limit-${process.pid}`);

const ways: Readonly<Record<string, () => Promise<unknown>>> = {
  tool: () => runner.run([], 5_000),
  install: () => runTool({ file: 'true', argv: [], env: { PATH: process.env['PATH'] ?? '' }, silenceMs: 5_000 }, new AbortController().signal),
  follow: () =>
    new Promise((resolve) => {
      const stop = followKernelLog({
        file: '/nowhere',
        journalctl: 'true',
        wanted: () => false,
        onMessage: () => {},
        onStanding: () => resolve(stop()),
      });
    }),
  kernelLog: () => readKernelLog(() => true, 5_000),
  fifo: async () => {
    const { writeEnd } = await makeExitFifo(fifo);
    closeSync(writeEnd);
    await removeExitFifo(fifo);
  },
  unit: () => systemctl('true').show('llama-engine@pool-0.service'),
};

const takeAll = (): number[] => {
  const taken: number[] = [];
  for (;;) {
    try {
      taken.push(openSync('/dev/null', 'r'));
    } catch {
      return taken;
    }
  }
};

const settled: Record<string, number> = {};
for (let spare = 0; spare < 10; spare += 1) {
  for (const [name, run] of Object.entries(ways)) {
    const taken = takeAll();
    for (const fd of taken.splice(0, spare)) closeSync(fd);
    await run().then(
      () => null,
      () => null,
    );
    for (const fd of taken) closeSync(fd);
    settled[name] = (settled[name] ?? 0) + 1;
  }
}
console.log(JSON.stringify(settled));
