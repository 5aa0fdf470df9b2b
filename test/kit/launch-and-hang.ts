/** A daemon reduced to starting one engine: `launch-and-hang DIR EXECUTABLE [before-record]`. Says the pid and stays. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { trees } from '../../src/actors/launch/descendants.ts';
import { detachedLauncher } from '../../src/actors/launch/detached.ts';
import type { RunRecord } from '../../src/machines/vocabulary.ts';
import { bootId } from '../../src/os/boot-id.ts';
import { processLooker } from '../../src/os/process-table.ts';
import { openStateStore } from '../../src/state/files.ts';
import { gpuRun, gpuSpec } from './gpu-facts.ts';

const [, , dir = '', executable = '', moment] = process.argv;
const store = await openStateStore(join(dir, 'state'));
const logFile = join(dir, 'engine.log');
await mkdir(dir, { recursive: true });
await writeFile(logFile, '');

const hang = (run: RunRecord): Promise<never> => {
  process.stdout.write(`${run.pid}\n`);
  return new Promise(() => setInterval(() => undefined, 1_000));
};
const runs = moment === 'before-record' ? { ...store.runs, write: (_id: string, run: RunRecord) => hang(run) } : store.runs;
const launcher = detachedLauncher({
  stateDir: store.dir,
  runs,
  trees: trees({ look: processLooker(), shelf: store.trees, bootId: bootId() }),
  bootId: bootId(),
});
const spec = gpuSpec({ engine: 'custom', model: null, custom: { health_path: '/health', progress_path: null, in_flight: null, token: null } });
const { pid: _pid, startTime: _start, ...facts } = gpuRun({ spec, engine: 'custom', incarnation: 'hung', bootId: bootId(), logFile });
await hang(await launcher.start({ executable, argv: [join(dir, 'none'), join(dir, 'told')], env: { PATH: '/usr/bin:/bin' } }, facts));
