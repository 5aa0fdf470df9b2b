/**
 * Which Node runs the daemon and its tools: this one, or the one that `npm ci` puts into node_modules. Nothing is started here.
 *
 * Plain JavaScript for any Node since 12: the one that reads it may be the one that is too old.
 */
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const neededMajor = 26;

/** As for every other mistake in how this machine is set up. */
export const badSetup = 78;

const majorOf = (version) => Number(version.split('.')[0]);

/** `process.execPath` where this Node will do, else the path of one that does, else null. */
export const findNode = () => {
  if (majorOf(process.versions.node) >= neededMajor) return process.execPath;
  const name = join(`node-${process.platform}-${process.arch}`, 'bin', 'node');
  return (
    folders()
      .map((folder) => join(folder, name))
      .find((path) => existsSync(path)) || null
  );
};

/** Its own, and where it is a package among others, theirs. */
const folders = () => {
  const beside = dirname(projectDir());
  return [join(projectDir(), 'node_modules'), ...(basename(beside) === 'node_modules' ? [beside] : [])];
};

export const whatToDo = () =>
  [
    `pool-managerd needs Node ${neededMajor} or later; this is Node ${process.versions.node} (${process.execPath}).`,
    `Either run \`npm ci\` in ${projectDir()}: it installs Node ${neededMajor} for this project on Linux x64 and arm64,`,
    `or install Node ${neededMajor} and put it first on the PATH.`,
  ].join('\n');

const projectDir = () => dirname(dirname(fileURLToPath(import.meta.url)));
