/** The entries of a tar archive, packed by gzip or zstd or not at all. Sorts of entries that are neither file, folder nor link refuse it. */
import type { Readable } from 'node:stream';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { Parser, type ReadEntry } from 'tar';
import { type Entry, type Limits, quoted, refuse } from './entry.ts';

export type Packing = 'gzip' | 'zstd' | 'none';

/** A header takes half a kibibyte, with a long name three times that. */
const bytesPerEntry = 2048;

export const readTar = async (
  source: Readable,
  packing: Packing,
  packedBytes: number,
  limits: Limits,
  put: (entry: Entry) => Promise<void>,
): Promise<void> => {
  const parser = new Parser({ strict: true, brotli: false, zstd: false, maxDecompressionRatio: limits.ratio });
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  let puts = Promise.resolve();
  let current: ReadEntry | null = null;
  parser.on('entry', (entry: ReadEntry) => {
    puts = puts.then(async () => {
      current = entry;
      await put(toEntry(entry));
      entry.resume();
    });
    puts.catch(failed.reject);
  });
  parser.on('ignoredEntry', (entry: ReadEntry) => failed.reject(refuse(`${quoted(entry.path)}, ${entry.type}`)));
  parser.on('error', (error: Error) => failed.reject(refuse(`one that cannot be read: ${error.message}`)));
  const ended = new Promise<void>((resolve) => parser.on('end', resolve));
  const reading = feed(source, packing, packedBytes, limits, parser);
  reading.catch(failed.reject);
  try {
    await Promise.race([failed.promise, Promise.all([reading, ended])]);
    await Promise.race([failed.promise, puts]);
  } catch (thrown) {
    // Whoever reads the body of an entry that will not end has a file open.
    (current as ReadEntry | null)?.destroy(thrown);
    await puts.catch(() => undefined);
    throw thrown;
  } finally {
    source.destroy();
  }
};

const feed = async (source: Readable, packing: Packing, packedBytes: number, limits: Limits, parser: Parser): Promise<void> => {
  const most = Math.min(limits.bytes + limits.entries * bytesPerEntry, packing === 'none' ? Number.POSITIVE_INFINITY : packedBytes * limits.ratio);
  let bytes = 0;
  const capped = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      // The parser would unpack it once more, beyond our sight.
      if (bytes === 0 && packing !== 'none' && isPacked(chunk)) return done(refuse('one that is packed twice'));
      bytes += chunk.length;
      if (bytes > most) return done(refuse(`more than ${most} bytes in ${packedBytes}`));
      if (parser.write(chunk)) done();
      else parser.once('drain', () => done());
    },
    flush: (done) => {
      parser.end();
      done();
    },
  });
  capped.resume();
  switch (packing) {
    case 'gzip':
      return pipeline(source, createGunzip(), capped).catch(unreadable);
    case 'zstd':
      return pipeline(source, createZstdDecompress(), capped).catch(unreadable);
    case 'none':
      return pipeline(source, capped).catch(unreadable);
  }
};

const isPacked = (head: Buffer): boolean =>
  [
    [0x1f, 0x8b],
    [0x28, 0xb5, 0x2f, 0xfd],
  ].some((magic) => magic.every((byte, index) => head[index] === byte));

const unreadable = (thrown: unknown): never => {
  if (thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' && /^(?:Z_|ZSTD_|ERR_ZSTD|ERR_ZLIB)/.test(thrown.code)) {
    throw refuse(`one that cannot be unpacked: ${thrown.message}`);
  }
  throw thrown;
};

const toEntry = (entry: ReadEntry): Entry => {
  const { path, type, mode, linkpath } = entry;
  switch (type) {
    case 'File':
    case 'OldFile':
    case 'ContiguousFile':
      return { kind: 'file', path, isExecutable: ((mode ?? 0) & 0o111) !== 0, body: entry };
    case 'Directory':
      return { kind: 'folder', path };
    case 'SymbolicLink':
      return { kind: 'link', path, target: linkpath ?? '', from: 'here' };
    case 'Link':
      return { kind: 'link', path, target: linkpath ?? '', from: 'top' };
    default:
      throw refuse(`${quoted(path)}, ${type}`);
  }
};
