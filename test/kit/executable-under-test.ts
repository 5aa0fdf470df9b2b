/** The executable with Node inside, as the Debian package has it: built where there is none of these sources and this commit yet. */
import { existsSync, mkdtempSync, renameSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { buildInfo } from '../../tools/build/bundle.ts';
import { makeExecutable } from '../../tools/build/executable.ts';
import { packageUnderTest } from './package-under-test.ts';

/** Its path; beside it lies what it was made of. */
export const executableUnderTest = async (): Promise<string> => {
  const sources = await packageUnderTest();
  const place = join(dirname(sources), `executable-${basename(sources)}-${buildInfo().commit}`);
  if (!existsSync(place)) {
    const making = mkdtempSync(join(dirname(sources), '.making-'));
    await makeExecutable(making);
    renameSync(making, place);
  }
  return join(place, 'pool-managerd');
};
