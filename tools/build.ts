/**
 * Makes `dist/pool-managerd`, one executable with Node inside: `npm run build`. The same commit gives the same bytes on the same
 * Node.
 *
 * The sources become one script (rolldown), which Node puts into a copy of itself (--build-sea) with what V8 compiled of it.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'rolldown';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');

const git = (...args: string[]): string => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();

/** Of the commit, not of this moment: whoever builds it again gets the same. */
const buildInfo = (): { readonly commit: string; readonly date: string } => {
  const changed = git('status', '--porcelain', '--untracked-files=no') !== '';
  return { commit: `${git('rev-parse', '--short=12', 'HEAD')}${changed ? '-changed' : ''}`, date: git('log', '-1', '--format=%cs') };
};

/** As text. */
export const bundle = async (info: object): Promise<string> => {
  const { output } = await build({
    cwd: root,
    input: 'src/executable.ts',
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

/** Node's hash seeds are by chance otherwise, and with them the order of what V8 writes down. */
const sameEachTime = ['--predictable', '--random-seed=1'];

export const makeExecutable = async (into: string = dist): Promise<string> => {
  mkdirSync(into, { recursive: true });
  const [script, settings, output] = ['pool-managerd.mjs', 'build-sea.json', 'pool-managerd'].map((name) => join(into, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(script, await bundle(buildInfo()));
  writeFileSync(
    settings,
    JSON.stringify({
      main: script,
      mainFormat: 'module',
      output,
      disableExperimentalSEAWarning: true,
      useCodeCache: true,
      execArgv: ['--disable-warning=ExperimentalWarning'],
      // Nothing of NODE_OPTIONS: no debugger, no preloaded code of somebody else.
      execArgvExtension: 'none',
    }),
  );
  execFileSync(process.execPath, [...sameEachTime, '--build-sea', settings], { stdio: ['ignore', 'ignore', 'inherit'] });
  return output;
};

if (import.meta.main) console.log(`${await makeExecutable()} written`);
