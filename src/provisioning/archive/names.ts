/** Which names an archive may give its entries, and where its links may lead. Pure. */
import { posix } from 'node:path';

const longestPath = 1_000;
const longestWord = 255;

/** Without `./` before and `/` behind it; `''` is the folder itself. Null: a name that is not allowed. */
export const plainName = (name: string): string | null => {
  const trimmed = name.replace(/^(?:\.\/+)+/, '').replace(/\/+$/, '');
  if (trimmed === '' || trimmed === '.') return '';
  if (trimmed.length > longestPath || !trimmed.split('/').every(isWord)) return null;
  return trimmed;
};

/** No way up, no separator of other systems, nothing that a terminal would obey. */
const isWord = (word: string): boolean =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  word !== '' && word !== '.' && word !== '..' && Buffer.byteLength(word) <= longestWord && !/[\x00-\x1f\x7f\\]/.test(word);

/** The entry that a symbolic link at `path` leads to; null: out of the archive, or a name that is not allowed. */
export const linkTarget = (path: string, target: string): string | null => {
  if (target === '' || posix.isAbsolute(target)) return null;
  const led = posix.normalize(posix.join(posix.dirname(path), target));
  return led.startsWith('..') ? null : plainName(led);
};
