/**
 * Where the JSON Schema of the pools file lies on this machine, so that a written pools file can lead an editor to it: in the clone, in
 * the package for npm, or where `packaging/install` and the Debian package put it.
 */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Form, form } from '../os/form.ts';

export interface Running {
  readonly form: Form;
  /** Of this source, or of the script that it is in. */
  readonly script: string;
  readonly executable: string;
}

const thisProgram: Running = { form, script: import.meta.url, executable: process.execPath };

/** What follows `$schema=`: a path, or a URL where the path has a blank, which would end it. Null: none was installed. */
export const installedSchema = (running: Running = thisProgram): string | null => {
  const path = placeOf(running);
  if (!existsSync(path)) return null;
  return /\s/.test(path) ? pathToFileURL(path).href : path;
};

const inProject = 'docs/schemas/pools.schema.json';

const placeOf = ({ form: runsAs, script, executable }: Running): string => {
  switch (runsAs) {
    case 'sources':
      return fileURLToPath(new URL(join('../..', inProject), script));
    case 'package':
      return fileURLToPath(new URL(join('..', inProject), script));
    case 'executable':
      return resolve(dirname(executable), '../share/pool-managerd/pools.schema.json');
  }
};
