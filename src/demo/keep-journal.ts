/** The journal of a demo, kept where a person wants it, since its house is removed. Writes that one file. */
import { copyFile, writeFile } from 'node:fs/promises';

/** Why the file cannot be written, looked at before a whole tour; null: it can, and is empty now. */
export const whyNotWritable = async (file: string): Promise<string | null> => {
  try {
    await writeFile(file, '');
    return null;
  } catch (thrown) {
    return `--journal: expected a file that can be written, found ${thrown instanceof Error ? thrown.message : String(thrown)}`;
  }
};

/** The daemon has ended, so nothing is written any more. @throws where the daemon wrote none */
export const keepJournal = (journalFile: string, to: string): Promise<void> => copyFile(journalFile, to);
