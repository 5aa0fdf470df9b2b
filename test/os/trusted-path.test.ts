/** Directories whose content is believed: who else could have put something there. */
import { chmod, chown, lchown, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { distrustOf } from '../../src/os/trusted-path.ts';
import { temporaryDir } from '../kit/engine-process.ts';

const isRoot = process.geteuid?.() === 0;

describe('A directory', () => {
  it('of ours below /tmp is trusted, also before it is there', async () => {
    const dir = await temporaryDir();
    expect(distrustOf(dir)).toBeNull();
    expect(distrustOf(join(dir, 'a', 'b'))).toBeNull();
  });

  it('that everybody may write to is not, sticky or not, nor is one below it (S16)', async () => {
    const dir = await temporaryDir();
    const open = join(dir, 'open');
    await mkdir(open);
    for (const mode of [0o777, 0o1777]) {
      await chmod(open, mode);
      expect(distrustOf(open)).toBe(
        `${open}: expected that nobody else may write there, found that everybody may; chmod o-w it, or set another directory`,
      );
    }
    await chmod(open, 0o777);
    expect(distrustOf(join(open, 'below'))).toContain(`${open}: expected that nobody else may write there`);
    await chmod(open, 0o770);
    expect(distrustOf(open)).toBeNull();
  });

  it('that another user owns, or that lies in one, is not (S16)', async (t) => {
    if (!isRoot) return t.skip('needs root, to give a directory away');
    const dir = await temporaryDir();
    const theirs = join(dir, 'theirs');
    await mkdir(join(theirs, 'below'), { recursive: true });
    await chown(theirs, 12_345, 12_345);
    for (const path of [theirs, join(theirs, 'below'), join(theirs, 'not-there')])
      expect(distrustOf(path)).toContain(`${theirs}: expected it to belong to root or to this user, found uid 12345`);
    expect(distrustOf(theirs, new Set([0, 12_345]))).toBeNull();
  });

  it('is looked for where a link of ours leads, and one of another user is not followed (S16)', async (t) => {
    const dir = await temporaryDir();
    await mkdir(join(dir, 'open'));
    await chmod(join(dir, 'open'), 0o777);
    await symlink('open', join(dir, 'link'));
    expect(distrustOf(join(dir, 'link'))).toContain(`${join(dir, 'open')}: expected that nobody else`);
    await symlink('/etc', join(dir, 'absolute'));
    expect(distrustOf(join(dir, 'absolute'))).toBeNull();
    await symlink('self', join(dir, 'self'));
    expect(distrustOf(join(dir, 'self'))).toContain('links without end');
    if (!isRoot) return t.skip('needs root, to give a link away');
    await symlink(dir, join(dir, 'theirs'));
    await lchown(join(dir, 'theirs'), 12_345, 12_345);
    expect(distrustOf(join(dir, 'theirs'))).toContain('found uid 12345');
  });

  it('that is a file is none', async () => {
    const file = join(await temporaryDir(), 'file');
    await writeFile(file, '');
    expect(distrustOf(file)).toBe(`${file}: expected a folder, found something else`);
  });
});
