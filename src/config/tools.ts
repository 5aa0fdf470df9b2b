/** The pools file for a person at the command line: is it right, what may be in it, what does one look like. */
import { exampleFor } from './example.ts';
import { installedSchema } from './installed-schema.ts';
import { poolsJsonSchema } from './json-schema.ts';
import { mostPoolsBytes, parsePools } from './pools-file.ts';
import { readSmallFile } from './read-file.ts';

export const configTools = {
  /** One line per mistake; empty: the file is valid. Throws when it cannot be read. */
  check: async (file: string): Promise<readonly string[]> => {
    const read = readSmallFile(file, mostPoolsBytes);
    if (!read.ok) throw new Error(read.problem);
    const result = parsePools(read.text, { file });
    return result.ok ? [] : result.mistakes;
  },
  schema: poolsJsonSchema,
  example: (): string => exampleFor(installedSchema()),
};
