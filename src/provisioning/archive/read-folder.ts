/** The entries of a folder that stands for an archive. A link leads nowhere we would follow: it refuses the folder, as any other sort does. */
import { constants } from 'node:fs';
import { open, opendir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { type Entry, quoted, refuse } from './entry.ts';

export const readFolder = async (root: string, put: (entry: Entry) => Promise<void>): Promise<void> => {
  for await (const found of await opendir(root, { recursive: true })) {
    const file = join(found.parentPath, found.name);
    const path = relative(root, file);
    if (found.isDirectory()) await put({ kind: 'folder', path });
    else if (found.isFile()) await put({ kind: 'file', path, isExecutable: false, body: bodyOf(file) });
    else throw refuse(`${quoted(path)}, neither file nor folder`);
  }
};

/** Opened when it is read, and only as what it was a moment ago. */
async function* bodyOf(file: string): AsyncGenerator<Buffer> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    yield* handle.createReadStream({ autoClose: false });
  } finally {
    await handle.close();
  }
}
