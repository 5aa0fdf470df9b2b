/** What every built form is made of: one script out of many sources, and the files that are no scripts. */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'rolldown';
import { ownFolders } from '../../src/os/own-files.ts';

export const root = join(import.meta.dirname, '../..');

/** For `--version`: of a commit, not of a moment. */
export interface BuildInfo {
  readonly commit: string;
  readonly date: string;
}

export interface Bundle {
  readonly code: string;
  /** Folders of the packages of others that are in it, from the root of the project, in order. */
  readonly packages: readonly string[];
}

const git = (...args: string[]): string => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();

/** Whoever builds the same commit again gets the same. */
export const buildInfo = (): BuildInfo => {
  const changed = git('status', '--porcelain', '--untracked-files=no') !== '';
  return { commit: `${git('rev-parse', '--short=12', 'HEAD')}${changed ? '-changed' : ''}`, date: git('log', '-1', '--format=%cs') };
};

/** `cjs`: what `import.meta` says comes from `__filename` then. */
export const bundle = async (input: string, info: BuildInfo, format: 'esm' | 'cjs' = 'esm'): Promise<Bundle> => {
  const { output } = await build({
    cwd: root,
    input,
    platform: 'node',
    write: false,
    transform: { define: { 'globalThis.poolManagerdBuild': JSON.stringify(info) } },
    // One file: imports on demand stay evaluated on demand. Licences stand in a file of their own.
    output: { format, codeSplitting: false, comments: false, dynamicImportInCjs: false },
  });
  const [chunk, ...others] = output;
  if (others.length > 0) throw new Error(`expected one script, found ${output.length}: ${output.map(({ fileName }) => fileName).join(', ')}`);
  return { code: inAscii(chunk.code), packages: [...new Set(chunk.moduleIds.flatMap(packageOf))].sort() };
};

/**
 * Node and V8 keep a script of ASCII as it lies in the file; one other character makes two bytes of every one. Characters outside of
 * it stand in texts, templates and patterns only, where their escapes mean the same.
 */
const inAscii = (code: string): string => code.replaceAll(/\P{ASCII}/gu, (character) => character.split('').map(escapeOf).join(''));

/** Of one unit of UTF-16: half of a pair is one. */
const escapeOf = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** The innermost: a package may have brought its own. */
const packageOf = (module: string): readonly string[] => {
  const folder = /^.*(?<folder>node_modules\/(?:@[^/]+\/)?[^/]+)/.exec(module)?.groups?.['folder'];
  return folder === undefined ? [] : [folder];
};

/** What the program reads of its own, by its path in the project; sources of the daemon itself are in the script. */
export const assets = (): Readonly<Record<string, string>> =>
  Object.fromEntries(
    ownFolders.flatMap((folder) =>
      readdirSync(join(root, folder))
        .filter((name) => folder !== 'src/provisioning/self-test' || !name.endsWith('.ts'))
        .sort()
        .map((name) => [`${folder}/${name}`, join(root, folder, name)]),
    ),
  );
