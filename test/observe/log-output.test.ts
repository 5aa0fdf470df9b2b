import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';

const writer = join(import.meta.dirname, '../kit/log-writer.ts');
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** Through a shell, so that stdout is a real pipe; `reader` is what stands behind it. */
const pipedInto = (reader: string, lines: number) => {
  const child = spawn(
    'bash',
    ['-c', `"$0" --disable-warning=ExperimentalWarning "$1" ${lines} | ${reader}; echo "code=\${PIPESTATUS[0]}" >&2`, process.execPath, writer],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  children.push(child);
  let [out, err] = ['', ''];
  child.stdout.on('data', (text) => (out += text));
  child.stderr.on('data', (text) => (err += text));
  return once(child, 'close').then(() => ({ out, err }));
};

describe('log output', () => {
  it('reaches a reader that reads, whole and in order, also at once before the exit', async () => {
    const { out } = await pipedInto('cat', 300);
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ index }) => index)).toEqual(Array.from({ length: 300 }, (_, index) => index));
  });

  it('does not keep the daemon from going on and exiting when its reader is gone', async () => {
    const { err } = await pipedInto('head -n 1', 5_000);
    expect(err).toBe('written\ncode=0\n');
  });

  it('does not keep the daemon from going on and exiting when its reader does not read', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'log-'));
    const fifo = join(directory, 'fifo');
    execFileSync('mkfifo', [fifo]);
    // Held open here and never read; the child's own opening waits, as a shell's would.
    const reader = openSync(fifo, constants.O_RDWR);
    const stdout = openSync(fifo, constants.O_WRONLY);
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', writer, '20000'], { stdio: ['ignore', stdout, 'pipe'] });
    children.push(child);
    const [code] = await once(child, 'close');
    expect(code).toBe(0);
    closeSync(reader);
    closeSync(stdout);
    rmSync(directory, { recursive: true });
  });

  it('goes into a file', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'log-'));
    const file = join(directory, 'out');
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', writer, '1000'], {
      stdio: ['ignore', openSync(file, 'a'), 'pipe'],
    });
    await once(child, 'close');
    expect(readFileSync(file, 'utf8').trim().split('\n')).toHaveLength(1_000);
    rmSync(directory, { recursive: true });
  });
});
