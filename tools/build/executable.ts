/**
 * Makes `dist/pool-managerd`, one executable with Node inside. The same commit gives the same bytes on the same Node.
 *
 * The sources become one script, which Node puts into a copy of itself (--build-sea) with what V8 compiled of it.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { threadScript } from '../../src/os/self.ts';
import { assets, buildInfo, bundle, root } from './bundle.ts';
import { licencesOf } from './licences.ts';

/** Node's hash seeds are by chance otherwise, and with them the order of what V8 writes down. */
const sameEachTime = ['--predictable', '--random-seed=1'];

/** Paths that Node writes down are those of the settings: relative ones, so that the place of the build is not in it. */
export const makeExecutable = async (into: string = join(root, 'dist')): Promise<string> => {
  mkdirSync(into, { recursive: true });
  const info = buildInfo();
  const [main, thread] = await Promise.all([bundle('src/executable.ts', info), bundle('src/provisioning/jobs/worker.ts', info)]);
  writeFileSync(join(into, script), main.code);
  writeFileSync(join(into, threadScript), thread.code);
  writeFileSync(join(into, 'LICENSES-OF-OTHERS'), licencesOf([...new Set([...main.packages, ...thread.packages])].sort()));
  writeFileSync(
    join(into, settings),
    JSON.stringify({
      main: script,
      mainFormat: 'module',
      output: 'pool-managerd',
      disableExperimentalSEAWarning: true,
      useCodeCache: true,
      // V8's young generation grows to 48 MiB otherwise, and is not given back.
      execArgv: ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=4'],
      // Nothing of NODE_OPTIONS: no debugger, no preloaded code of somebody else.
      execArgvExtension: 'none',
      assets: { ...assets(), [threadScript]: threadScript },
    }),
  );
  execFileSync(process.execPath, [...sameEachTime, '--build-sea', settings], { cwd: into, stdio: ['ignore', 'ignore', 'inherit'] });
  return join(into, 'pool-managerd');
};

const script = 'pool-managerd.mjs';
const settings = 'build-sea.json';

if (import.meta.main) console.log(`${await makeExecutable()} written`);
