/** What is preloaded into a daemon, to do to it from inside what no order does: environment for its start. */
import { join } from 'node:path';

const preloads = join(import.meta.dirname, '..', 'fixtures', 'preloads');

/** SIGUSR2 sets it off. */
export const preloaded = (name: 'blocks-loop' | 'rejects'): Readonly<Record<string, string>> => ({
  NODE_OPTIONS: `--require=${join(preloads, `${name}.cjs`)}`,
});
