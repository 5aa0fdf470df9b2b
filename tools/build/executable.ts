/**
 * Makes `dist/pool-managerd`, one executable with Node inside. The same commit gives the same bytes on the same Node, to the
 * same kind of user on the same system (docs/decisions/0029-code-cache.md).
 *
 * The sources become one script, which Node puts into a copy of itself (--build-sea) with what V8 compiled of it. That is made first,
 * by such an executable that writes it down (code-cache.ts).
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { innerCache, innerScript, wrapInner } from '../../src/os/inner-script.ts';
import { threadScript } from '../../src/os/self.ts';
import { assets, buildInfo, bundle, root } from './bundle.ts';
import { codeCacheOf } from './code-cache.ts';
import { licencesOf } from './licences.ts';

/** Hash seeds and threads of V8 are by chance otherwise, and with them what it writes down. A Node without these flags takes it all the same. */
const sameEachTime = ['--predictable', '--random-seed=1'];

/** V8's young generation grows to 48 MiB otherwise, and is not given back. */
const always = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=4'];

export const makeExecutable = async (into: string = join(root, 'dist')): Promise<string> => {
  mkdirSync(into, { recursive: true });
  const info = buildInfo();
  const [program, thread, start, recordingStart] = await Promise.all([
    bundle('src/executable.ts', info, 'cjs'),
    bundle('src/provisioning/jobs/worker.ts', info),
    bundle('src/executable-start.ts', info, 'cjs'),
    bundle('tools/build/recording-start.ts', info, 'cjs'),
  ]);
  writeFileSync(join(into, innerScript), wrapInner(program.code));
  writeFileSync(join(into, threadScript), thread.code);
  writeFileSync(join(into, 'LICENSES-OF-OTHERS'), licencesOf([...new Set([...program.packages, ...thread.packages])].sort()));
  const inner = { ...assets(), [threadScript]: threadScript, [innerScript]: innerScript };
  const recording = mkdtempSync(join(into, '.recording-'));
  try {
    const recorder = pack(into, join(basename(recording), 'pool-managerd'), recordingStart.code, inner, [...always, ...sameEachTime]);
    writeFileSync(join(into, innerCache), await codeCacheOf(recorder));
  } finally {
    rmSync(recording, { recursive: true });
  }
  return pack(into, 'pool-managerd', start.code, { ...inner, [innerCache]: innerCache }, always);
};

/** Paths that Node writes down are those of the settings: relative ones, so that the place of the build is not in it. */
const pack = (into: string, output: string, start: string, inner: Readonly<Record<string, string>>, execArgv: readonly string[]): string => {
  writeFileSync(join(into, firstScript), start);
  writeFileSync(
    join(into, settings),
    JSON.stringify({
      main: firstScript,
      output,
      disableExperimentalSEAWarning: true,
      execArgv,
      // Nothing of NODE_OPTIONS: no debugger, no preloaded code of somebody else.
      execArgvExtension: 'none',
      assets: inner,
    }),
  );
  execFileSync(process.execPath, [...sameEachTime, '--build-sea', settings], { cwd: into, stdio: ['ignore', 'ignore', 'inherit'] });
  return join(into, output);
};

const firstScript = 'start.cjs';
const settings = 'build-sea.json';

if (import.meta.main) console.log(`${await makeExecutable()} written`);
