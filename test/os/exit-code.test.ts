/** How a main ends: by itself, or at the latest. */
import { resolve } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';

const ended = (open: string) => {
  const module = JSON.stringify(resolve(import.meta.dirname, '../../src/os/exit-code.ts'));
  const script = `import { exitWith, leaveAtLatest } from ${module};\n${open}\nexitWith(Promise.resolve(3).finally(() => leaveAtLatest(200)));`;
  return execa(process.execPath, ['--input-type=module', '--eval', script], { reject: false, timeout: 20_000 });
};

describe('the end of a main', () => {
  it('comes by itself once nothing is open', async () => {
    expect(await ended('')).toMatchObject({ exitCode: 3, stderr: '' });
  });

  it('comes all the same where something is, and says what', async () => {
    const { exitCode, stderr } = await ended("import { createServer } from 'node:net'; createServer().listen(0);");
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(/expected nothing to be open 200 ms after the end, found TCPServerWrap; ending all the same/);
  });
});
