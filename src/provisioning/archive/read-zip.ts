/** The entries of a zip archive, by its directory. Encrypted ones, and sorts that are neither file, folder nor link, refuse it. */
import { constants } from 'node:fs';
import { openPromise, type Entry as ZipEntry, type ZipFile } from 'yauzl';
import { CauseError } from '../../cause.ts';
import { type Entry, type Limits, quoted, refuse } from './entry.ts';

const longestTarget = 4_096;

export const readZip = async (path: string, packedBytes: number, limits: Limits, put: (entry: Entry) => Promise<void>): Promise<void> => {
  const zip = await openPromise(path, { lazyEntries: true, autoClose: false, strictFileNames: true, validateEntrySizes: true }).catch(unreadable);
  try {
    if (zip.entryCount > limits.entries) throw refuse(`more than ${limits.entries} entries`);
    let bytes = 0;
    for await (const entry of zip.eachEntry()) {
      bytes += entry.uncompressedSize;
      if (bytes > limits.bytes || bytes > packedBytes * limits.ratio) throw refuse(`${bytes} bytes and more in ${packedBytes}`);
      await put(await toEntry(zip, entry));
    }
  } catch (thrown) {
    return unreadable(thrown);
  } finally {
    zip.close();
  }
};

/** Errors of the system keep what they are: a full disk is none of the archive. */
const unreadable = (thrown: unknown): never => {
  if (thrown instanceof CauseError || (thrown instanceof Error && 'errno' in thrown)) throw thrown;
  throw refuse(`one that cannot be read: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
};

const toEntry = async (zip: ZipFile, entry: ZipEntry): Promise<Entry> => {
  const path = entry.fileName;
  if (entry.isEncrypted()) throw refuse(`${quoted(path)} encrypted`);
  const mode = entry.externalFileAttributes >>> 16;
  const kind = mode & constants.S_IFMT;
  if (path.endsWith('/') || kind === constants.S_IFDIR) return { kind: 'folder', path };
  if (kind === constants.S_IFLNK) return { kind: 'link', path, target: await readTarget(zip, entry), from: 'here' };
  if (kind !== 0 && kind !== constants.S_IFREG) throw refuse(`${quoted(path)}, neither file nor folder`);
  return { kind: 'file', path, isExecutable: (mode & 0o111) !== 0, body: bodyOf(zip, entry) };
};

/** Opened when it is read: what fails of a stream before anybody listens would end the thread. */
async function* bodyOf(zip: ZipFile, entry: ZipEntry): AsyncGenerator<Buffer> {
  yield* await zip.openReadStreamPromise(entry);
}

const readTarget = async (zip: ZipFile, entry: ZipEntry): Promise<string> => {
  if (entry.uncompressedSize > longestTarget) throw refuse(`the link ${quoted(entry.fileName)} to a long name`);
  const chunks: Buffer[] = [];
  for await (const chunk of bodyOf(zip, entry)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
};
