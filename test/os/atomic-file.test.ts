import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CauseError } from '../../src/cause.ts';
import { removeFile, sweepLeftovers, writeFileAtomically } from '../../src/os/atomic-file.ts';
import { temporaryDir } from '../kit/engine-process.ts';

const causeOfRejection = async (doing: Promise<unknown>) => {
  const thrown: unknown = await doing.then(
    () => null,
    (rejected: unknown) => rejected,
  );
  if (thrown instanceof CauseError) return thrown.reason;
  throw new Error(`expected a CauseError, found ${String(thrown)}`);
};

describe('A file written atomically', () => {
  it('has the content and exactly the mode it was given, and nothing is left beside it', async () => {
    const dir = await temporaryDir();
    const umask = process.umask(0o077);
    onTestFinished(() => void process.umask(umask));
    for (const [mode, text] of [
      [0o640, 'one'],
      [0o600, 'another, longer'],
      [0o666, ''],
    ] as const) {
      await writeFileAtomically(join(dir, 'a.json'), text, { mode });
      expect(await readFile(join(dir, 'a.json'), 'utf8')).toBe(text);
      expect((await stat(join(dir, 'a.json'))).mode & 0o777).toBe(mode);
    }
    expect(await readdir(dir)).toEqual(['a.json']);
  });

  it('takes the place of a symbolic link and leaves what the link points to', async () => {
    const dir = await temporaryDir();
    await writeFile(join(dir, 'shadow'), 'secret');
    await symlink('shadow', join(dir, 'a.json'));
    await writeFileAtomically(join(dir, 'a.json'), 'new', { mode: 0o600 });
    expect([await readFile(join(dir, 'shadow'), 'utf8'), await readFile(join(dir, 'a.json'), 'utf8')]).toEqual(['secret', 'new']);
  });

  it('that cannot be written is a state_store_failed with path and errno, and leaves nothing behind', async () => {
    const dir = await temporaryDir();
    await mkdir(join(dir, 'a.json'));
    const missing = join(dir, 'missing', 'a.json');
    expect(await causeOfRejection(writeFileAtomically(missing, 'x', { mode: 0o600 }))).toMatchObject({
      code: 'state_store_failed',
      message: expect.stringContaining(missing),
      details: { path: missing, errno: 'ENOENT' },
    });
    expect(await causeOfRejection(writeFileAtomically(join(dir, 'a.json'), 'x', { mode: 0o600 }))).toMatchObject({ details: { errno: 'EISDIR' } });
    expect(await readdir(dir)).toEqual(['a.json']);
  });

  it('is removed, also when it is gone already', async () => {
    const dir = await temporaryDir();
    await writeFileAtomically(join(dir, 'a.json'), 'x', { mode: 0o600 });
    await removeFile(join(dir, 'a.json'));
    await removeFile(join(dir, 'a.json'));
    expect(await readdir(dir)).toEqual([]);
    expect(await causeOfRejection(removeFile(join(dir, 'missing', 'a.json')))).toMatchObject({ code: 'state_store_failed' });
  });
});

it('Temporary files of earlier processes are swept, those of this one and other files are not', async () => {
  const dir = await temporaryDir();
  const leftover = `.a.json.${'0'.repeat(12)}-${'1'.repeat(16)}.tmp`;
  for (const name of [leftover, '.hidden', '.vim.swp.tmp', 'b.json']) await writeFile(join(dir, name), '');
  const texts = Array.from({ length: 40 }, (_, count) => `${count}`.repeat(10_000));
  const [swept] = await Promise.all([
    sweepLeftovers(dir),
    ...texts.map((text, count) => writeFileAtomically(join(dir, `c${count}.json`), text, { mode: 0o600 })),
    ...texts.map(() => sweepLeftovers(dir)),
  ]);
  expect(swept).toEqual([leftover]);
  expect((await readdir(dir)).filter((name) => name.startsWith('.')).sort()).toEqual(['.hidden', '.vim.swp.tmp']);
  expect(await readFile(join(dir, 'c39.json'), 'utf8')).toBe(texts[39]);
});

describe.skipIf(process.geteuid?.() !== 0)('On a full disk (needs root to mount one)', () => {
  it('the old content stays whole, the cause is disk_full, and the space of the attempt is free again', async ({ skip }) => {
    const dir = await temporaryDir();
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', dir], { stdio: 'pipe' });
    } catch {
      return skip('root may not mount here');
    }
    try {
      await writeFileAtomically(join(dir, 'a.json'), 'a good state', { mode: 0o600 });
      const cause = await causeOfRejection(writeFileAtomically(join(dir, 'a.json'), 'x'.repeat(1_500_010), { mode: 0o600 }));
      expect(cause).toMatchObject({ code: 'disk_full', message: expect.stringContaining('free some space'), details: { errno: 'ENOSPC' } });
      expect(await readFile(join(dir, 'a.json'), 'utf8')).toBe('a good state');
      expect(await readdir(dir)).toEqual(['a.json']);
      await writeFileAtomically(join(dir, 'a.json'), 'y'.repeat(900_000), { mode: 0o600 });
    } finally {
      await rm(join(dir, 'a.json'), { force: true });
      execFileSync('umount', [dir]);
    }
  });
});
