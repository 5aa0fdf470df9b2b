/** Answers `systemctl reload`, which waits for it: in a file of the unit's runtime directory. Outside systemd nobody waits. */
import { join } from 'node:path';
import { writeFileAtomically } from './atomic-file.ts';

/** `mistakes`: none, and what was asked for is applied. Throws CauseError where the file cannot be written. */
export const answerReload = async (
  mistakes: readonly string[],
  runtimeDirectory: string | undefined = process.env['RUNTIME_DIRECTORY'],
): Promise<void> => {
  if (runtimeDirectory === undefined) return;
  const lines = [mistakes.length === 0 ? 'applied' : 'refused', ...mistakes.map((mistake) => mistake.replaceAll('\n', ' '))];
  await writeFileAtomically(join(runtimeDirectory, 'reload'), `${lines.join('\n')}\n`, { mode: 0o600 });
};
