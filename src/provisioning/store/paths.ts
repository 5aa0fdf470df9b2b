/** Where everything of the store lies, below one folder. Names are made from digests and checked words only. */
import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';

export interface StorePaths {
  readonly root: string;
  /** What was fetched and when; the record is what makes a thing present. */
  readonly modelRecords: string;
  readonly models: string;
  readonly engines: string;
  /** Not whole, or not verified yet. */
  readonly parts: string;
  readonly locks: string;
  /** Models in the layout that Hugging Face's own tools share. */
  readonly hub: string;
  /** One line for everything that came or went; only ever appended to. */
  readonly provenance: string;
}

export const storePaths = (root: string): StorePaths => ({
  root,
  modelRecords: join(root, 'index', 'models'),
  models: join(root, 'models'),
  engines: join(root, 'engines'),
  parts: join(root, 'parts'),
  locks: join(root, 'locks'),
  hub: join(root, 'hub'),
  provenance: join(root, 'provenance.jsonl'),
});

/** Of `parts`, where an import is unpacked; one at a time. */
export const importName = 'import';
export const importLock = ({ locks }: StorePaths): string => join(locks, 'import.lock');

export const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32);

/** The last word of a URL's path as the name of a file; what a name may not have is an underscore. */
export const fileNameOf = (url: URL, otherwise: string): string => {
  const name = decoded(basename(url.pathname))
    .replaceAll(/[^\w.+-]/g, '_')
    .replace(/^[.-]+/, '')
    .slice(-200);
  return name === '' ? otherwise : name;
};

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};
