/**
 * Makes `dist/pool-managerd`, one executable with Node inside: `npm run build`. The same commit gives the same bytes on the same
 * Node.
 *
 * The sources become one script (rolldown), which Node puts into a copy of itself (--build-sea) with what V8 compiled of it.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'rolldown';
import { ownFolders } from '../src/os/own-files.ts';
import { threadAsset } from '../src/os/self.ts';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');

const git = (...args: string[]): string => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();

/** Of the commit, not of this moment: whoever builds it again gets the same. */
const buildInfo = (): { readonly commit: string; readonly date: string } => {
  const changed = git('status', '--porcelain', '--untracked-files=no') !== '';
  return { commit: `${git('rev-parse', '--short=12', 'HEAD')}${changed ? '-changed' : ''}`, date: git('log', '-1', '--format=%cs') };
};

/** One script out of many, as text. */
const bundle = async (input: string, info: object): Promise<string> => {
  const { output } = await build({
    cwd: root,
    input,
    platform: 'node',
    write: false,
    transform: { define: { 'globalThis.poolManagerdBuild': JSON.stringify(info) } },
    // One file: imports on demand stay evaluated on demand.
    output: { format: 'esm', codeSplitting: false },
  });
  const [chunk, ...others] = output;
  if (others.length > 0) throw new Error(`expected one script, found ${output.length}: ${output.map(({ fileName }) => fileName).join(', ')}`);
  return chunk.code;
};

/** What the program reads of its own, by its path in the project; sources of the daemon itself are in the script. */
const assets = (): Readonly<Record<string, string>> =>
  Object.fromEntries(
    ownFolders.flatMap((folder) =>
      readdirSync(join(root, folder))
        .filter((name) => folder !== 'src/provisioning/self-test' || !name.endsWith('.ts'))
        .sort()
        .map((name) => [`${folder}/${name}`, join(root, folder, name)]),
    ),
  );

/** Node's hash seeds are by chance otherwise, and with them the order of what V8 writes down. */
const sameEachTime = ['--predictable', '--random-seed=1'];

/** Paths that Node writes down are those of the settings: relative ones, so that the place of the build is not in it. */
export const makeExecutable = async (into: string = dist): Promise<string> => {
  mkdirSync(into, { recursive: true });
  const info = buildInfo();
  writeFileSync(join(into, script), await bundle('src/executable.ts', info));
  writeFileSync(join(into, threadAsset), await bundle('src/provisioning/jobs/worker.ts', info));
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
      assets: { ...assets(), [threadAsset]: threadAsset },
    }),
  );
  execFileSync(process.execPath, [...sameEachTime, '--build-sea', settings], { cwd: into, stdio: ['ignore', 'ignore', 'inherit'] });
  return join(into, 'pool-managerd');
};

const script = 'pool-managerd.mjs';
const settings = 'build-sea.json';

if (import.meta.main) console.log(`${await makeExecutable()} written`);
