/**
 * Puts entries down in a folder of our own: regular files and folders with checked names, and nothing else. A link becomes a second
 * name of the file that it leads to, once all are there; no link is ever on the disk.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Entry, type Limits, quoted, refuse } from './entry.ts';
import { linkTarget, plainName } from './names.ts';

export interface StagedFile {
  /** From the folder on. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly isExecutable: boolean;
}

export interface Staged {
  readonly files: readonly StagedFile[];
}

export interface Stage {
  put(entry: Entry): Promise<void>;
  finish(): Promise<Staged>;
}

/** `told` after each file: bytes so far. */
export const openStage = (root: string, limits: Limits, told: (bytes: number) => void): Stage => {
  const files = new Map<string, StagedFile>();
  const links = new Map<string, string>();
  const folders = new Set<string>(['']);
  let [entries, bytes] = [0, 0];

  const nameOf = (raw: string): string => {
    const name = plainName(raw);
    if (name === null) throw refuse(`an entry named ${quoted(raw)}`);
    return name;
  };
  const makeFolder = async (name: string): Promise<void> => {
    if (folders.has(name)) return;
    await makeFolder(folderOf(name));
    if (files.has(name) || links.has(name)) throw refuse(`${quoted(name)} as a file and as a folder`);
    await mkdir(join(root, name), { mode: 0o755 });
    folders.add(name);
  };
  const claim = async (name: string): Promise<void> => {
    if (name === '' || files.has(name) || links.has(name) || folders.has(name)) throw refuse(`${quoted(name)} twice`);
    await makeFolder(folderOf(name));
  };

  const putFile = async (name: string, isExecutable: boolean, body: AsyncIterable<Buffer>): Promise<void> => {
    await claim(name);
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const handle = await open(join(root, name), flags, isExecutable ? 0o755 : 0o644);
    try {
      const sha256 = createHash('sha256');
      let size = 0;
      for await (const chunk of body) {
        size += chunk.length;
        bytes += chunk.length;
        if (bytes > limits.bytes) throw refuse(`more than ${limits.bytes} bytes in it`);
        const writing = handle.appendFile(chunk);
        sha256.update(chunk);
        await writing;
      }
      await handle.chmod(isExecutable ? 0o755 : 0o644);
      await handle.datasync();
      files.set(name, { path: name, bytes: size, sha256: sha256.digest('hex'), isExecutable });
      told(bytes);
    } finally {
      await handle.close();
    }
  };

  /** Over other links, to a file. */
  const led = (name: string): StagedFile => {
    let at = name;
    for (let hops = 0; hops <= links.size; hops += 1) {
      const file = files.get(at);
      if (file !== undefined) return file;
      const next = links.get(at);
      if (next === undefined) throw refuse(`the link ${quoted(name)} to ${folders.has(at) ? 'a folder' : 'nothing in it'}, ${quoted(at)}`);
      at = next;
    }
    throw refuse(`the link ${quoted(name)} to itself`);
  };

  return {
    put: async (entry) => {
      entries += 1;
      if (entries > limits.entries) throw refuse(`more than ${limits.entries} entries`);
      const name = nameOf(entry.path);
      switch (entry.kind) {
        case 'folder':
          return makeFolder(name);
        case 'file':
          return putFile(name, entry.isExecutable, entry.body);
        case 'link': {
          const target = entry.from === 'top' ? plainName(entry.target) : linkTarget(name, entry.target);
          if (target === null || target === '') throw refuse(`the link ${quoted(name)} to ${quoted(entry.target)}`);
          await claim(name);
          links.set(name, target);
        }
      }
    },
    finish: async () => {
      for (const name of links.keys()) {
        const file = led(name);
        await link(join(root, file.path), join(root, name));
        files.set(name, { ...file, path: name });
        links.delete(name);
      }
      if (files.size === 0) throw refuse('no file in it');
      return { files: [...files.values()] };
    },
  };
};

const folderOf = (name: string): string => {
  const folder = dirname(name);
  return folder === '.' ? '' : folder;
};
