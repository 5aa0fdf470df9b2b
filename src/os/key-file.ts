/** A key in a small file: its first line, without blanks around it. What it opens is the caller's business. */
import { readTextSafely } from './read-safely.ts';

const mostBytes = 4096;

/** Empty where the line is. Throws as `readTextSafely` does. */
export const readKeyFile = async (file: string): Promise<string> => {
  const [key = ''] = (await readTextSafely(file, { maxBytes: mostBytes })).text.split('\n');
  return key.trim();
};
