/** What an archive may put on the disk: plain files in our own folder, whatever is in it. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Entry, usualLimits } from '../../src/provisioning/archive/entry.ts';
import { readZip } from '../../src/provisioning/archive/read-zip.ts';
import { unpack } from '../../src/provisioning/archive/unpack.ts';
import type { JobReport } from '../../src/provisioning/jobs/job.ts';
import { type TarEntry, tarGz, tarOf, zipOf } from '../kit/archives.ts';
import { temporaryDir } from '../kit/engine-process.ts';

const silent: JobReport = { phase: () => undefined, progress: () => undefined };
const text = (content: string): Buffer => Buffer.from(content);

const unpacked = async (archive: Buffer, limits = usualLimits) => {
  const dir = await temporaryDir();
  const file = join(dir, 'archive');
  await writeFile(file, archive);
  const into = join(dir, 'into');
  const staged = await unpack({ kind: 'unpack', archive: file, into, program: 'llama-server', limits }, silent);
  return { dir, into, staged, found: readdirSync(into, { recursive: true }).map(String).sort() };
};
const refused = async (archive: Buffer, limits = usualLimits): Promise<string> =>
  unpacked(archive, limits).then(
    ({ found }) => expect.unreachable(`expected a refusal, found ${found}`),
    (thrown) => {
      expect(thrown.reason?.code, thrown.stack).toBe('install_failed');
      return thrown.message;
    },
  );

const release: readonly TarEntry[] = [
  { name: './', type: '5' },
  { name: './bin/', type: '5' },
  { name: './bin/llama-server', content: text('program') },
  { name: 'lib/libllama.so', type: '2', target: 'libllama.so.0' },
  { name: 'lib/libllama.so.0', type: '2', target: './libllama.so.0.7' },
  { name: 'lib/libllama.so.0.7', content: text('library'), mode: 0o644 },
  { name: 'bin/llama-hard', type: '1', target: 'bin/llama-server' },
  { name: 'LICENSE', content: text('free'), mode: 0o4777 },
];

describe('a release', () => {
  it.each([
    ['tar.gz', tarGz(release)],
    ['tar.zst', zstdCompressSync(tarOf(release))],
    ['tar', tarOf(release)],
  ])('as %s has its files, and for its links second names of them', async (_form, archive) => {
    const { into, staged, found } = await unpacked(archive);
    expect(found).toEqual([
      'LICENSE',
      'bin',
      'bin/llama-hard',
      'bin/llama-server',
      'lib',
      'lib/libllama.so',
      'lib/libllama.so.0',
      'lib/libllama.so.0.7',
    ]);
    expect(readFileSync(join(into, 'lib/libllama.so'), 'utf8')).toBe('library');
    for (const name of found) expect(lstatSync(join(into, name)).isSymbolicLink(), name).toBe(false);
    expect(lstatSync(join(into, 'LICENSE')).mode & 0o7777, 'no setuid').toBe(0o755);
    expect(lstatSync(join(into, 'lib/libllama.so.0.7')).mode & 0o7777).toBe(0o644);
    expect(staged.files.find(({ path }) => path === 'bin/llama-server')).toEqual({
      path: 'bin/llama-server',
      bytes: 7,
      sha256: createHash('sha256').update('program').digest('hex'),
      isExecutable: true,
    });
  });

  it('as zip has the same', async () => {
    const archive = zipOf([
      { name: 'build/', content: Buffer.alloc(0), mode: 0o040755 },
      { name: 'build/bin/llama-server', content: text('program') },
      { name: 'build/bin/llama', content: text('llama-server'), mode: 0o120777 },
      { name: 'build/bin/readme', content: text('x'), mode: 0o100644 },
    ]);
    const { into, found } = await unpacked(archive);
    expect(found).toEqual(['build', 'build/bin', 'build/bin/llama', 'build/bin/llama-server', 'build/bin/readme']);
    expect(readFileSync(join(into, 'build/bin/llama'), 'utf8')).toBe('program');
    expect(lstatSync(join(into, 'build/bin/llama')).isSymbolicLink()).toBe(false);
  });

  it('may be the program itself', async () => {
    const { found, staged } = await unpacked(text('#!/bin/sh\necho hello\n'));
    expect([found, staged.files[0]?.isExecutable]).toEqual([['llama-server'], true]);
  });
});

describe('an archive is refused', () => {
  it.each<[string, readonly TarEntry[]]>([
    ['leads up', [{ name: '../evil' }]],
    ['leads up in the middle', [{ name: 'a/../../evil' }]],
    ['is absolute', [{ name: '/etc/evil' }]],
    ['has the separator of other systems', [{ name: '..\\evil' }]],
    ['would be obeyed by a terminal', [{ name: 'a\x1b[2Jb' }]],
    ['is a link that leads up', [{ name: 'a', type: '2', target: '../../etc/passwd' }]],
    ['is a link to anywhere', [{ name: 'a', type: '2', target: '/etc/passwd' }]],
    [
      'is a link to a folder',
      [
        { name: 'd/', type: '5' },
        { name: 'a', type: '2', target: 'd' },
      ],
    ],
    ['is a link to the folder itself', [{ name: 'a', type: '2', target: '.' }]],
    ['is a link to nothing', [{ name: 'a', type: '2', target: 'b' }]],
    ['is a link to itself', [{ name: 'a', type: '2', target: 'b' }, { name: 'b', type: '2', target: 'a' }, { name: 'c' }]],
    ['is written through a link', [{ name: 'a', type: '2', target: '/tmp' }, { name: 'a/evil' }]],
    ['is written through a link that would do', [{ name: 'f' }, { name: 'a', type: '2', target: 'f' }, { name: 'a/evil' }]],
    ['is a hard link out of it', [{ name: 'a', type: '1', target: '/etc/passwd' }]],
    ['is a hard link up', [{ name: 'a', type: '1', target: '../../etc/passwd' }]],
    ['is a device', [{ name: 'a', type: '3' }]],
    ['is a disk', [{ name: 'a', type: '4' }]],
    ['is a FIFO', [{ name: 'a', type: '6' }]],
    ['is of an unknown kind', [{ name: 'a', type: 'S' }]],
    ['comes twice', [{ name: 'a' }, { name: './a' }]],
    ['is a folder of a file', [{ name: 'a' }, { name: 'a/b' }]],
    ['is nothing', [{ name: 'a/', type: '5' }]],
  ])('of which an entry %s', async (_what, entries) => {
    await refused(tarGz(entries));
  });

  it.each([
    ['leads up', { name: '../evil', content: text('x') }],
    ['is absolute', { name: '/evil', content: text('x') }],
    ['is a link up', { name: 'a', content: text('../../etc/passwd'), mode: 0o120777 }],
    ['is a device', { name: 'a', content: text(''), mode: 0o020644 }],
    ['is larger than it says', { name: 'a', content: randomBytes(10_000), claimedBytes: 10 }],
    ['is smaller than it says', { name: 'a', content: text('x'), claimedBytes: 10_000 }],
  ])('as zip, of which an entry %s', async (_what, entry) => {
    await refused(zipOf([entry]));
  });

  it('as zip, whose entry is read late or not at all, ends nothing else by what is wrong with it', async () => {
    const file = join(await temporaryDir(), 'archive');
    const archive = zipOf([{ name: 'a', content: randomBytes(10_000), claimedBytes: 10 }]);
    await writeFile(file, archive);
    const late = async (entry: Entry): Promise<void> => {
      // Long enough for a stream that nobody listens to to have come to its error.
      for (let turns = 0; turns < 20; turns += 1) await stat(file);
      if (entry.kind === 'file') for await (const chunk of entry.body) expect(chunk.length).toBeGreaterThan(0);
    };
    await expect(readZip(file, archive.length, usualLimits, late)).rejects.toMatchObject({ reason: { code: 'install_failed' } });
    await readZip(file, archive.length, usualLimits, async () => undefined);
  });

  it.each([
    ['cut', tarGz([{ name: 'a', content: randomBytes(100_000) }]).subarray(0, 50_000)],
    ['cut before packing', gzipSync(tarOf([{ name: 'a', content: randomBytes(100_000) }]).subarray(0, 50_000))],
    ['no archive', randomBytes(1000)],
    ['empty', Buffer.alloc(0)],
    ['packed twice', gzipSync(tarGz([{ name: 'a' }]))],
    ['a zip that is cut', zipOf([{ name: 'a', content: randomBytes(1000) }]).subarray(0, 600)],
  ])('that is %s', async (_what, archive) => {
    await refused(archive);
  });

  it('that is a bomb, by its ratio, its size or its number of entries', async () => {
    const zeros = tarGz([{ name: 'zeros', content: Buffer.alloc(64 * 1024 * 1024) }]);
    expect(await refused(zeros, { ...usualLimits, ratio: 100 })).toMatch(/bytes in|ratio/);
    expect(await refused(zeros, { ...usualLimits, bytes: 1024 * 1024, ratio: 1e9 })).toMatch(/bytes in/);
    const many = tarGz(Array.from({ length: 20_000 }, (_, index) => ({ name: `f${index}`, type: '5' })));
    expect(await refused(many, { ...usualLimits, entries: 500 })).toContain('more than 500 entries');
    const zipped = zipOf([{ name: 'zeros', content: Buffer.alloc(16 * 1024 * 1024) }]);
    expect(await refused(zipped, { ...usualLimits, ratio: 100 })).toContain('bytes');
  });
});

describe('whatever an archive holds', () => {
  it('nothing is written outside of its folder, and nothing but files and folders in it', async () => {
    const word = fc.constantFrom('a', 'b', '..', '.', '', 'lib', '/', 'a/b', '../..', '\0', '\\', 'C:', '~');
    const path = fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join('/'));
    const entry = fc.record({
      name: path,
      type: fc.constantFrom('0', '0', '0', '1', '2', '2', '5', '3', '6', 'L', 'x', 'g'),
      target: path,
      content: fc.constant(text('x')),
    });
    const dir = await temporaryDir();
    const [file, into] = [join(dir, 'archive'), join(dir, 'into')];
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { minLength: 1, maxLength: 6 }), async (entries) => {
        await writeFile(file, tarOf(entries));
        await rm(into, { recursive: true, force: true });
        await unpack({ kind: 'unpack', archive: file, into, program: 'p', limits: usualLimits }, silent).catch((thrown) => {
          if (thrown.reason?.code !== 'install_failed') throw thrown;
        });
        expect(readdirSync(dir).sort()).toEqual(['archive', ...(existsSync(into) ? ['into'] : [])]);
        for (const found of existsSync(into) ? readdirSync(into, { recursive: true, withFileTypes: true }) : [])
          expect(found.isFile() || found.isDirectory()).toBe(true);
      }),
      { numRuns: Number(process.env['ARCHIVE_RUNS'] ?? 300) },
    );
  });
});
