import { execFileSync } from 'node:child_process';
import { appendFile, link, mkdir, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FileRefused, readTextSafely } from '../../src/os/read-safely.ts';
import { temporaryDir } from '../kit/engine-process.ts';

const own = process.geteuid?.() ?? 0;

describe('A file read safely', () => {
  it('is its text and its owner, up to the very byte that is allowed', async () => {
    const path = join(await temporaryDir(), 'a');
    await writeFile(path, 'grüße');
    expect(await readTextSafely(path, { maxBytes: 7, owners: new Set([own]) })).toEqual({ text: 'grüße', uid: own });
    await expect(readTextSafely(path, { maxBytes: 6 })).rejects.toThrow('expected at most 6 bytes, found 7');
    await writeFile(path, '');
    expect((await readTextSafely(path, { maxBytes: 0 })).text).toBe('');
  });

  it('is read in pieces when it is large', async () => {
    const path = join(await temporaryDir(), 'a');
    const text = 'ä'.repeat(150_001);
    await writeFile(path, text);
    expect((await readTextSafely(path, { maxBytes: 1_000_000 })).text).toBe(text);
  });

  it('that is not there is ENOENT', async () => {
    await expect(readTextSafely(join(await temporaryDir(), 'a'), { maxBytes: 1 })).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('that grows while it is read is refused at the limit: /proc files say size 0 and have content', async () => {
    await expect(readTextSafely('/proc/self/mountinfo', { maxBytes: 10 })).rejects.toThrow('expected at most 10 bytes, found more');
  });
});

describe('Never read', () => {
  const refused = async (path: string, rules: { maxBytes: number; owners?: ReadonlySet<number> } = { maxBytes: 1_000 }) => {
    const thrown: unknown = await readTextSafely(path, rules).catch((rejected: unknown) => rejected);
    expect(thrown).toBeInstanceOf(FileRefused);
    return thrown instanceof Error ? thrown.message : '';
  };

  it('a symbolic link, whatever it points to', async () => {
    const dir = await temporaryDir();
    await symlink('/etc/shadow', join(dir, 'a'));
    await symlink('nowhere', join(dir, 'b'));
    expect(await refused(join(dir, 'a'))).toContain('symbolic link');
    expect(await refused(join(dir, 'b'))).toContain('symbolic link');
  });

  it('a hard link to another file', async () => {
    const dir = await temporaryDir();
    await writeFile(join(dir, 'secret'), 'x');
    await link(join(dir, 'secret'), join(dir, 'a'));
    expect(await refused(join(dir, 'a'))).toContain('2 hard links');
  });

  it('a FIFO, and it does not wait for its writer', async () => {
    const path = join(await temporaryDir(), 'fifo');
    execFileSync('mkfifo', [path]);
    const begun = performance.now();
    expect(await refused(path)).toContain('a FIFO');
    expect(performance.now() - begun).toBeLessThan(2_000);
  });

  it('a directory, a device, a socket', async () => {
    const dir = await temporaryDir();
    await mkdir(join(dir, 'a'));
    const server = createServer().listen(join(dir, 'socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    onTestFinished(() => void server.close());
    expect(await refused(join(dir, 'a'))).toContain('a directory');
    expect(await refused('/dev/null')).toContain('a device');
    expect(await refused(join(dir, 'socket'))).toContain('a socket');
  });

  it('a file of another owner', async () => {
    const path = join(await temporaryDir(), 'a');
    await writeFile(path, 'x');
    await appendFile(path, 'y');
    expect(await refused(path, { maxBytes: 10, owners: new Set([own + 1, own + 2]) })).toContain(
      `expected a file owned by uid ${own + 1} or ${own + 2}, found uid ${own}`,
    );
  });
});
