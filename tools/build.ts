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
import { assetPrefix, servedPaths } from '../src/http/dashboard/files.ts';
import type { OwnAsset } from '../src/os/self.ts';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');

const git = (...args: string[]): string => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();

/** Of the commit, not of this moment: whoever builds it again gets the same. */
const buildInfo = (): { readonly commit: string; readonly date: string } => {
  const changed = git('status', '--porcelain', '--untracked-files=no') !== '';
  return { commit: `${git('rev-parse', '--short=12', 'HEAD')}${changed ? '-changed' : ''}`, date: git('log', '-1', '--format=%cs') };
};

/** As text. */
export const bundle = async (info: object, input = 'src/executable.ts', format: 'esm' | 'cjs' = 'esm'): Promise<string> => {
  const { output } = await build({
    cwd: root,
    input,
    platform: 'node',
    write: false,
    transform: { define: { 'globalThis.poolManagerdBuild': JSON.stringify(info) } },
    // One file: imports on demand stay evaluated on demand.
    output: { format, codeSplitting: false },
  });
  const [chunk, ...others] = output;
  if (others.length > 0) throw new Error(`expected one script, found ${output.length}: ${output.map(({ fileName }) => fileName).join(', ')}`);
  return chunk.code;
};

/** The files of the dashboard, key → path. */
const dashboard = async (): Promise<Readonly<Record<string, string>>> =>
  Object.fromEntries(Object.entries(await servedPaths()).map(([name, path]) => [`${assetPrefix}${name}`, path]));

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
  // A thread begins with a script of its own, which is given as text: CommonJS, since that may require what Node has.
  const worker = join(into, 'provisioning-worker.cjs');
  writeFileSync(worker, await bundle(buildInfo(), 'src/provisioning/jobs/worker.ts', 'cjs'));
  writeFileSync(
    settings,
    JSON.stringify({
      main: script,
      mainFormat: 'module',
      output,
      disableExperimentalSEAWarning: true,
      useCodeCache: true,
      assets: {
        ...(await dashboard()),
        ...({ 'provisioning-worker.cjs': worker, 'tiny.gguf': join(root, 'src/provisioning/self-test/tiny.gguf') } satisfies Record<
          OwnAsset,
          string
        >),
      },
      execArgv: ['--disable-warning=ExperimentalWarning'],
      // Nothing of NODE_OPTIONS: no debugger, no preloaded code of somebody else.
      execArgvExtension: 'none',
    }),
  );
  execFileSync(process.execPath, [...sameEachTime, '--build-sea', settings], { stdio: ['ignore', 'ignore', 'inherit'] });
  return output;
};

if (import.meta.main) console.log(`${await makeExecutable()} written`);
